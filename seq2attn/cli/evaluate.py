"""`seq2attn evaluate`: a model's scores on a test set."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2attn.cli.options import AsJson, Beam, Checkpoint, Device, LengthPenalty, MaxOutput, RunOrModel, Test, Threads
from seq2attn.cli.output import check_output, open_output
from seq2attn.errors import UsageError

if TYPE_CHECKING:
    from seq2attn.evaluation.noise import Replace


def evaluate(
    model: RunOrModel,
    test: Test = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the translations here.")] = None,
    as_json: AsJson = False,
    beam: Beam = None,
    length_penalty: LengthPenalty = None,
    max_output: MaxOutput = None,
    lowercase: Annotated[
        bool | None, typer.Option("--lowercase/--cased", help="BLEU without regard to case; else as in the config.")
    ] = None,
    tokenize: Annotated[
        str | None, typer.Option(help="sacrebleu's tokenizer, auto follows the language; else as in the config.")
    ] = None,
    noise: Annotated[
        str | None, typer.Option(metavar="KIND", help="Test noisy sources too; replace: other subwords for some.")
    ] = None,
    rate: Annotated[
        str, typer.Option(help="With --noise: the share of subwords it hits, or several: 0,0.05,0.15,0.30.")
    ] = "0.15",
    noise_seeds: Annotated[int, typer.Option(help="With --noise: how many times it is drawn.")] = 5,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Print BLEU, chrF2 and TER with their signatures, BLEU by source length and, if asked, BLEU under source noise."""
    from dataclasses import replace

    from seq2attn.build.data import choose_test_source
    from seq2attn.build.evaluation import build_bleu
    from seq2attn.evaluation.bleu import describe_tokenized
    from seq2attn.inference.evaluate import evaluate as run_evaluation
    from seq2attn.inference.model import load
    from seq2attn.machine import set_up_torch
    from seq2attn.runs.overlap import describe_known_pairs

    if output is not None:
        check_output(output)
    replacing = None if noise is None else _parse_noise(noise, rate, noise_seeds)
    set_up_torch(threads)
    loaded = load(model, device, checkpoint)
    bleu = build_bleu(loaded.config)
    bleu = replace(bleu, lowercase=bleu.lowercase if lowercase is None else lowercase)
    bleu = replace(bleu, tokenize=bleu.tokenize if tokenize is None else tokenize)
    bleu.metric()  # a tokenizer that cannot be used shows before the test set is read
    source = choose_test_source(loaded.config, test)
    if source is None:
        raise UsageError(f"{model}: its config has no data.test", "name a test set with --test")
    pairs = list(source.pairs())
    if note := describe_known_pairs(model, [(pair.source, pair.target) for pair in pairs]):
        typer.echo(note, err=True)
    if (remark := describe_tokenized([pair.target for pair in pairs])) is not None:
        typer.echo(remark, err=True)
    evaluation = run_evaluation(
        loaded,
        [pair.source for pair in pairs],
        [pair.target for pair in pairs],
        beam=beam,
        length_penalty=length_penalty,
        max_output=max_output,
        bleu=bleu,
        noise=replacing,
    )
    if output is not None:
        with open_output(output) as file:
            file.writelines(f"{line}\n" for line in evaluation.hypotheses)
    for remark in evaluation.remarks:
        typer.echo(remark, err=True)
    typer.echo(json.dumps(evaluation.to_json(), indent=2) if as_json else evaluation.to_text())


def _parse_noise(kind: str, rates: str, seeds: int) -> "Replace":
    from seq2attn.evaluation.noise import Replace

    if kind != "replace":
        raise UsageError(f"--noise {kind}: no such noise", "there is one: --noise replace")
    try:
        return Replace(tuple(float(rate) for rate in rates.split(",")), seeds)
    except ValueError as error:
        raise UsageError(f"--rate {rates}: not a list of numbers", "for example --rate 0,0.05,0.15,0.30") from error
