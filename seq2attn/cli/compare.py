"""`seq2attn compare`: train, test and report several systems alike."""

from pathlib import Path
from typing import Annotated

import typer

from seq2attn.cli.numbers import whole_numbers
from seq2attn.errors import UsageError


def compare(
    systems: Annotated[list[str], typer.Argument(metavar="CONFIG_OR_RUN...", help="Config files and finished runs.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the report, the runs and the translations.")],
    seeds: Annotated[str, typer.Option(help="Train each config once for each seed: 1,2,3.")] = "",
    test: Annotated[str | None, typer.Option(metavar="PREFIX", help="Test files PREFIX.en, PREFIX.de.")] = None,
    baseline: Annotated[str | None, typer.Option(metavar="NAME", help="The system to compare with.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="a.b=c", help="Override a key of all configs (repeatable).")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Systems to train at a time, which share the threads.")] = 1,
) -> None:
    """Train what is missing, test all systems on the same test set, and write report.html, report.md and report.json.

    A system is called by its config's name without .yaml. A finished run is called by its folder, and never retrained.
    """
    from seq2attn.compare.compare import compare as run_comparison
    from seq2attn.compare.report.tables import terminal_text

    comparison = run_comparison(
        systems,
        out,
        seeds=parse_seeds(seeds),
        test=test,
        baseline=baseline,
        overrides=overrides or (),
        device=device,
        threads=threads,
        jobs=jobs,
        after_each=lambda state: tell_growth(len(state.systems), len(state.pending), out),
    )
    typer.echo(terminal_text(comparison, out / "report.html"))


def parse_seeds(text: str) -> tuple[int, ...]:
    """The seeds of "1,2,3"; none for an empty text. Raises UsageError for anything but distinct whole numbers."""
    seeds = whole_numbers(text, option="--seeds", example="1,2,3")
    if len(set(seeds)) < len(seeds):
        raise UsageError(f"--seeds {text}: a seed occurs twice", "for example --seeds 1,2,3")
    return seeds


def tell_growth(done: int, pending: int, out: Path) -> None:
    """Says on stderr, after each system but the last, where the report so far lies."""
    if pending:
        typer.echo(f"{out / 'report.html'}: {done} of {done + pending} systems", err=True)
