"""`seq2attn compare`: train, test and report several systems alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2attn.cli.numbers import parse_whole_numbers
from seq2attn.cli.options import Device, Jobs, Overrides, Test, Threads
from seq2attn.errors import Seq2attnError, UsageError

if TYPE_CHECKING:
    from seq2attn.compare.report.results import Comparison


def compare(
    systems: Annotated[list[str], typer.Argument(metavar="CONFIG_OR_RUN...", help="Config files and finished runs.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the report, the runs and the translations.")],
    seeds: Annotated[str, typer.Option(help="Train each config once for each seed: 1,2,3.")] = "",
    test: Test = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="NAME", help="The system to compare with; else the first without attention.")
    ] = None,
    overrides: Overrides = None,
    sentences: Annotated[
        int | None, typer.Option(min=1, help="Test on the first N sentences only, for a quick look.")
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    jobs: Jobs = 1,
) -> None:
    """Train what is missing, test all systems on the same test set, and write reports: HTML, Markdown, JSON and a picture.

    A system that cannot be trained is reported as failed; the exit code is then that of the first failure.

    A system is called by its config's name without .yaml. A finished run is called by its folder, and never retrained.
    """
    from seq2attn.compare.compare import Question
    from seq2attn.compare.compare import compare as run_comparison

    question = Question(
        systems=tuple(systems),
        out=out,
        seeds=parse_seeds(seeds),
        test=test,
        baseline=baseline,
        overrides=tuple(overrides or ()),
        sentences=sentences,
    )
    comparison = run_comparison(
        question,
        device=device,
        threads=threads,
        jobs=jobs,
        after_each=lambda state: tell_growth(len(state.systems), len(state.pending), out),
    )
    show_comparison(comparison, out)


def parse_seeds(text: str) -> tuple[int, ...]:
    """The seeds of "1,2,3"; none for an empty text. Raises UsageError for anything but distinct whole numbers."""
    seeds = parse_whole_numbers(text, option="--seeds", example="1,2,3")
    if len(set(seeds)) < len(seeds):
        raise UsageError(f"--seeds {text}: a seed occurs twice", "for example --seeds 1,2,3")
    return seeds


def show_comparison(comparison: "Comparison", out: Path) -> None:
    """Print the tables and the report's path. Raises the first failure, if there is one, with all others."""
    from seq2attn.compare.report.tables import describe_for_terminal

    typer.echo(describe_for_terminal(comparison, out / "report.html"))
    failures = [SystemFailedError(f"{f.system} failed: {f.reason}", f.hint, f.exit_code) for f in comparison.failed]
    if failures:
        first, *others = failures
        raise SystemFailedError(first.message, first.hint, first.exit_code, others)


class SystemFailedError(Seq2attnError):
    """A system of a comparison could not be trained or tested, which its own exit code says."""

    def __init__(self, message: str, hint: str, exit_code: int, others: Sequence[Seq2attnError] = ()) -> None:
        super().__init__(message, hint, others)
        self.exit_code = exit_code


def tell_growth(done: int, pending: int, out: Path) -> None:
    """Say on stderr, after each system but the last, how many the report has and where it lies."""
    if pending:
        typer.echo(f"{out / 'report.html'}: {done} of {done + pending} systems", err=True)
