"""What the figures were made with, so that somebody else can make them again."""

from collections.abc import Callable, Iterable

from seq2attn.compare.report.results import Comparison, RunResult, SystemResult


def methods(comparison: Comparison) -> list[tuple[str, str]]:
    """Name and text of each entry; what differs between systems is said for each."""
    test, systems = comparison.test, comparison.systems
    entries = [
        ("test set", f"{test.name}: {test.sentences:,} sentences, {test.source_language} → {test.target_language}"),
        ("BLEU", _of_runs(systems, lambda run: run.signature)),
        ("chrF2", _of_runs(systems, lambda run: run.chrf_signature)),
        ("lengths", "whitespace-separated words of the source as it stands in the test set, both ends inclusive"),
        ("search", _each(systems, lambda system: f"beam {system.beam}, length penalty {system.length_penalty:g}")),
        ("seeds", _each(systems, lambda system: ", ".join(str(run.seed) for run in system.runs))),
        ("updates", _each(systems, lambda system: ", ".join(_unique(f"{run.updates:,}" for run in system.runs)))),
        (
            "p",
            f"paired bootstrap of sacrebleu (Koehn 2004), {comparison.resamples:,} resamples of the test sentences, "
            "for each seed that both systems have; the largest p is shown",
        ),
        ("hardware", _each(systems, lambda system: system.device)),
        ("configs", "; ".join(f"{system.name}: {system.config}" for system in systems)),
        ("software", f"seq2attn {comparison.version}" if comparison.version else ""),
        ("reproduce", comparison.command),
    ]
    return [(name, text) for name, text in entries if text]


def _each(systems: tuple[SystemResult, ...], text: Callable[[SystemResult], str]) -> str:
    """The text that all systems share, or that of each by its name."""
    shared = _unique(text(system) for system in systems)
    if len(shared) == 1:
        return shared[0]
    return "; ".join(f"{system.name}: {text(system)}" for system in systems)


def _of_runs(systems: tuple[SystemResult, ...], text: Callable[[RunResult], str]) -> str:
    return "; ".join(_unique(text(run) for system in systems for run in system.runs))


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
