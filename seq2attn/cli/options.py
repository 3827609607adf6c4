"""Options and arguments that several commands share, spelled and explained alike."""

from pathlib import Path
from typing import Annotated

import typer

RunOrModel = Annotated[Path, typer.Argument(metavar="RUN_OR_MODEL", help="Run directory, or its model/ folder.")]
Checkpoint = Annotated[
    str | None,
    typer.Option(metavar="last|best|N", help="A checkpoint of the run, finished or not; else its model/."),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="a.b=c", help="Override a key of the config (repeatable).")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Precision = Annotated[
    str | None,
    typer.Option(
        help="Of the products: fp32, bf16, or auto for bf16 where the hardware has it; else as in the config."
    ),
]
Threads = Annotated[int | None, typer.Option(min=1, max=1024, help="CPU threads.")]
Jobs = Annotated[int, typer.Option(min=1, help="Systems to train at a time, which share the threads.")]
Test = Annotated[
    str | None,
    typer.Option(
        metavar="PREFIX",
        help="Test set: PREFIX for PREFIX.SOURCE and PREFIX.TARGET, tsv:FILE, jsonl:FILE, huggingface:PATH[:SPLIT], or "
        "{type: …} as in a config; else data.test.",
    ),
]
Beam = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1000,
        help="Hypotheses kept at a time, 1 is greedy search; else evaluation.beam of the model's config.",
    ),
]
LengthPenalty = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=100,
        help="Exponent α of the length penalty ((5 + n) / 6)^α; else evaluation.length_penalty of the model's config.",
    ),
]
MaxOutput = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1_000_000,
        help="Most subwords of a translation; else evaluation.max_output, or as learned from the training pairs.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
