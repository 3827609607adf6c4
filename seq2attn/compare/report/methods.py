"""What the figures were made with, so that somebody else can make them again."""

from collections.abc import Callable, Iterable

from seq2attn.compare.report.results import Comparison, RunResult, SystemResult, TestSet
from seq2attn.evaluation.significance import RESAMPLES

_UNITS = {"words": "whitespace-separated words", "characters": "characters (white space not counted)"}


def describe_methods(comparison: Comparison) -> list[tuple[str, str]]:
    """Name and text of all entries; where systems differ, the text names them all."""
    test, systems = comparison.test, comparison.systems
    entries = [
        ("test set", f"{test.name}: {_describe_size(test)}, {test.source_language} → {test.target_language}"),
        ("BLEU", _describe_runs(systems, lambda run: run.signature)),
        ("chrF2", _describe_runs(systems, lambda run: run.chrf_signature)),
        ("lengths", f"{_UNITS[test.unit]} of the source as it stands in the test set, both ends inclusive"),
        (
            "search",
            _describe_systems(
                systems, lambda s: f"beam {s.beam}, length penalty {s.length_penalty:g}, in {s.precision}"
            ),
        ),
        ("seeds", _describe_systems(systems, lambda system: ", ".join(str(run.seed) for run in system.runs))),
        (
            "updates",
            _describe_systems(
                systems, lambda system: ", ".join(_drop_repeated(f"{run.updates:,}" for run in system.runs))
            ),
        ),
        (
            "p",
            f"paired bootstrap of sacrebleu (Koehn 2004), {RESAMPLES:,} resamples of the test sentences, "
            "for each seed that both systems have; the largest p is shown",
        ),
        ("hardware", _describe_systems(systems, lambda system: system.device)),
        ("configs", "; ".join(f"{system.name}: {system.config}" for system in systems)),
        ("software", f"seq2attn {comparison.version}" if comparison.version else ""),
        ("reproduce", comparison.command),
    ]
    return [(name, text) for name, text in entries if text]


def _describe_size(test: TestSet) -> str:
    first = "" if test.whole is None else f"the first {test.sentences:,} of "
    return f"{first}{test.whole or test.sentences:,} sentences"


def _describe_systems(systems: tuple[SystemResult, ...], text: Callable[[SystemResult], str]) -> str:
    """The text that all systems share, or every system's text after its name."""
    shared = _drop_repeated(text(system) for system in systems)
    if len(shared) == 1:
        return shared[0]
    return "; ".join(f"{system.name}: {text(system)}" for system in systems)


def _describe_runs(systems: tuple[SystemResult, ...], text: Callable[[RunResult], str]) -> str:
    return "; ".join(_drop_repeated(text(run) for system in systems for run in system.runs))


def _drop_repeated(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
