"""What a comparison asks before anything is trained: whether a run is in the way, and which systems can be trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from seq2attn.compare.report.results import Failure, describe_size_spread
from seq2attn.compare.runner import Runner
from seq2attn.compare.systems import System, SystemRun
from seq2attn.errors import DataError, DivergedError, Seq2attnError, UsageError
from seq2attn.runs.progress import say


def list_untrained(systems: Sequence[System]) -> list[SystemRun]:
    """All runs but those that were named as finished."""
    return [run for system in systems for run in system.runs if not run.finished]


def refuse_other_runs(systems: Sequence[System], runner: Runner) -> None:
    """Raises UsageError if anything but a run of theirs lies in one of their folders."""
    for run in list_untrained(systems):
        try:
            runner.check(run)
        except DataError:
            pass  # a text that is not there: `prepare` meets it again
        except UsageError as error:
            raise UsageError(error.message, word_hint(error, run.path)) from error


def prepare(systems: Sequence[System], baseline: str, runner: Runner) -> tuple[list[System], dict[str, Failure]]:
    """The systems that can be trained, and those that cannot, for want of their text for one; say how large they are."""
    sizes: dict[str, int] = {}
    failed: dict[str, Failure] = {}
    for system in systems:
        try:
            sizes[system.name] = runner.count_parameters(system.runs[0])
        except Seq2attnError as error:
            failed[system.name] = tell_failure(system, system.runs[0], error)
    tell_sizes(sizes, baseline)
    return [system for system in systems if system.name in sizes], failed


def tell_failure(system: System, run: SystemRun, error: Seq2attnError) -> Failure:
    """Say at once that a system failed, and keep it for the report."""
    say(f"{system.name} failed: {error.message}")
    return Failure(system.name, error.message, word_hint(error, run.path), error.exit_code)


def word_hint(error: Seq2attnError, run: Path) -> str:
    """The error's hint, with what can be done in a comparison in place of options that only `train` has."""
    if "--overwrite" not in error.hint and "--from" not in error.hint:
        return error.hint
    if error.exit_code == DivergedError.exit_code:
        return (
            "lower training.optimizer.learning_rate or lengthen training.schedule.warmup in its config, remove "
            f"{run}, and run the same command again: what is finished stays"
        )
    return f"choose another --out, or remove {run} to train it again"


def tell_sizes(parameters: Mapping[str, int], baseline: str) -> None:
    """Say how large each system is, and warn if they differ much."""
    for name, count in parameters.items():
        say(f"{name}: {count:,} parameters")
    if parameters and (warning := describe_size_spread(parameters, baseline)):
        say(warning)
