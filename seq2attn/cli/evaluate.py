"""`seq2attn evaluate`: a model's figures on a test set."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2attn.cli.output import check_output, writing
from seq2attn.cli.train import Device, Threads
from seq2attn.errors import UsageError

if TYPE_CHECKING:
    from seq2attn.evaluation.noise import Replace


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_MODEL", help="Run directory, or its model/ folder.")],
    test: Annotated[str, typer.Option(metavar="PREFIX", help="Test files PREFIX.SOURCE and PREFIX.TARGET.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the translations here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    beam: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Hypotheses kept at a time; else the config's.")
    ] = None,
    length_penalty: Annotated[float | None, typer.Option(min=0, max=100, help="Exponent; else the config's.")] = None,
    lowercase: Annotated[bool | None, typer.Option("--lowercase/--cased", help="BLEU without regard to case.")] = None,
    tokenize: Annotated[str | None, typer.Option(help="sacrebleu's tokenizer; auto follows the language.")] = None,
    noise: Annotated[
        str | None, typer.Option(metavar="KIND", help="Test noisy sources too; replace: other subwords for some.")
    ] = None,
    rate: Annotated[
        str, typer.Option(help="With --noise: the share of subwords it hits, or several: 0,0.05,0.15,0.30.")
    ] = "0.15",
    noise_seeds: Annotated[int, typer.Option(help="With --noise: how many times it is drawn.")] = 5,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Print BLEU, chrF2 and TER with their signatures, BLEU by source length and, if asked, BLEU under source noise."""
    from seq2attn import machine
    from seq2attn.data.sources import TextFiles
    from seq2attn.evaluation.bleu import bleu_metric
    from seq2attn.inference.evaluate import evaluate as run_evaluation
    from seq2attn.inference.model import load

    if output is not None:
        check_output(output)
    replace = None if noise is None else _noise(noise, rate, noise_seeds)
    machine.set_up(threads)
    loaded = load(model, device)
    data, settings = loaded.config.data, loaded.config.evaluation
    lowercase = settings.lowercase if lowercase is None else lowercase
    tokenize = tokenize or settings.tokenize
    bleu_metric(target_language=data.target, lowercase=lowercase, tokenize=tokenize)  # before minutes of translating
    pairs = list(TextFiles(test, data.source, data.target).pairs())
    evaluation = run_evaluation(
        loaded,
        [pair.source for pair in pairs],
        [pair.target for pair in pairs],
        beam=beam or settings.beam,
        length_penalty=settings.length_penalty if length_penalty is None else length_penalty,
        lowercase=lowercase,
        tokenize=tokenize,
        noise=replace,
    )
    if output is not None:
        with writing(output) as file:
            file.writelines(f"{line}\n" for line in evaluation.hypotheses)
    typer.echo(json.dumps(evaluation.to_json(), indent=2) if as_json else evaluation.to_text())


def _noise(kind: str, rates: str, seeds: int) -> "Replace":
    from seq2attn.evaluation.noise import Replace

    if kind != "replace":
        raise UsageError(f"--noise {kind}: no such noise", "there is one: --noise replace")
    try:
        return Replace(tuple(float(rate) for rate in rates.split(",")), seeds)
    except ValueError as error:
        raise UsageError(f"--rate {rates}: not a list of numbers", "for example --rate 0,0.05,0.15,0.30") from error
