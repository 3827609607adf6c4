"""`seq2attn evaluate`: a model's figures on a test set."""

import json
from pathlib import Path
from typing import Annotated

import typer

from seq2attn.cli.output import check_output, writing
from seq2attn.cli.train import Device, Threads


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_MODEL", help="Run directory, or its model/ folder.")],
    test: Annotated[str, typer.Option(metavar="PREFIX", help="Test files PREFIX.SOURCE and PREFIX.TARGET.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the translations here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    beam: Annotated[int | None, typer.Option(min=1, help="Hypotheses kept at a time; else the config's.")] = None,
    length_penalty: Annotated[float | None, typer.Option(min=0, help="Exponent; else the config's.")] = None,
    lowercase: Annotated[bool | None, typer.Option("--lowercase/--cased", help="BLEU without regard to case.")] = None,
    tokenize: Annotated[str | None, typer.Option(help="sacrebleu's tokenizer; auto follows the language.")] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Print BLEU, chrF2 and TER with their signatures, and BLEU by source length."""
    from seq2attn.data.sources import TextFiles
    from seq2attn.evaluation.bleu import bleu_metric
    from seq2attn.experiment import machine
    from seq2attn.experiment.evaluate import evaluate as run_evaluation
    from seq2attn.experiment.model import load

    if output is not None:
        check_output(output)
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
    )
    typer.echo(json.dumps(evaluation.to_json(), indent=2) if as_json else evaluation.to_text())
    if output is not None:
        with writing(output) as file:
            file.writelines(f"{line}\n" for line in evaluation.hypotheses)
