"""`seq2attn evaluate`: a model's scores on a test set."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2attn.cli.options import (
    AsJson,
    Beam,
    Checkpoint,
    Device,
    LengthPenalty,
    MaxOutput,
    Precision,
    RunOrModel,
    Test,
    Threads,
)
from seq2attn.cli.output import check_output, open_output
from seq2attn.errors import UsageError

if TYPE_CHECKING:
    from seq2attn.evaluation.alignment import GoldLinks
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
    gold_alignments: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Score the attention's word alignment too: a line of gold links (i-j, ipj) for each pair.",
        ),
    ] = None,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    precision: Precision = None,
    threads: Threads = None,
) -> None:
    """Print BLEU, chrF2 and TER with their signatures, BLEU by source length and, if asked, BLEU under source noise."""
    from dataclasses import replace

    from seq2attn.build.data import choose_test_source
    from seq2attn.build.evaluation import build_bleu
    from seq2attn.data.headers import describe_header
    from seq2attn.evaluation.references import describe_references
    from seq2attn.inference.align import measure_alignment
    from seq2attn.inference.evaluate import evaluate as run_evaluation
    from seq2attn.inference.model import load
    from seq2attn.machine import set_up_torch
    from seq2attn.runs.overlap import check_test_pairs
    from seq2attn.runs.progress import count_progress

    if output is not None:
        check_output(output)
    replacing = None if noise is None else _parse_noise(noise, rate, noise_seeds)
    set_up_torch(threads)
    loaded = load(model, device, checkpoint, precision)
    bleu = build_bleu(loaded.config)
    bleu = replace(bleu, lowercase=bleu.lowercase if lowercase is None else lowercase)
    bleu = replace(bleu, tokenize=bleu.tokenize if tokenize is None else tokenize)
    bleu.metric()  # a tokenizer that cannot be used shows before the test set is read
    source = choose_test_source(loaded.config, test, model)
    if source is None:
        raise UsageError(f"{model}: its config has no data.test", "name a test set with --test")
    pairs = list(source.pairs())
    texts, data = [(pair.source, pair.target) for pair in pairs], loaded.config.data
    for note in (
        check_test_pairs(model, texts),
        describe_header(source, source.locate(pairs[0].line), texts[0], "test", (data.source, data.target)),
        *describe_references([target for _, target in texts], bleu),
    ):
        if note:
            typer.echo(note, err=True)
    gold, remarks = _read_gold(gold_alignments, texts)
    passes = 1 + (0 if replacing is None else replacing.passes) + (gold is not None)
    with count_progress(str(model), passes * len(pairs), unit="sentences") as progress:
        evaluation = run_evaluation(
            loaded,
            [source for source, _ in texts],
            [target for _, target in texts],
            beam=beam,
            length_penalty=length_penalty,
            max_output=max_output,
            bleu=bleu,
            noise=replacing,
            progress=progress,
        )
        if gold is not None:
            evaluation = replace(evaluation, alignment=measure_alignment(loaded, texts, gold, progress))
    if output is not None:
        with open_output(output) as file:
            file.writelines(f"{line}\n" for line in evaluation.hypotheses)
    for remark in (*remarks, *evaluation.remarks):
        typer.echo(remark, err=True)
    typer.echo(json.dumps(evaluation.to_json(), indent=2) if as_json else evaluation.to_text())


def _read_gold(
    path: Path | None, texts: Sequence[tuple[str, str]]
) -> tuple["Sequence[GoldLinks] | None", Sequence[str]]:
    from seq2attn.evaluation.alignment import read_gold_links

    if path is None:
        return None, ()
    return read_gold_links(path, [(len(source.split()), len(target.split())) for source, target in texts])


def _parse_noise(kind: str, rates: str, seeds: int) -> "Replace":
    from seq2attn.evaluation.noise import Replace

    if kind != "replace":
        raise UsageError(f"--noise {kind}: no such noise", "there is one: --noise replace")
    try:
        return Replace(tuple(float(rate) for rate in rates.split(",")), seeds)
    except ValueError as error:
        raise UsageError(f"--rate {rates}: not a list of numbers", "for example --rate 0,0.05,0.15,0.30") from error
