"""Made-up figures for reports: a system that falls with the length of the sentence, and one that does not."""

from seq2attn.compare.report.results import Comparison, RunResult, Significance, SystemResult, TestSet
from seq2attn.evaluation.by_length import Bucket
from seq2attn.evaluation.intervals import Interval
from seq2attn.evaluation.novelty import Novelty

ENDS = ((1, 10), (11, 20), (21, 30), (31, 40), (41, 50), (51, None))
FULL = (200,) * 6
FALLING = (86.0, 69.0, 46.0, 37.0, 33.0, 32.0)
FLAT = (99.0, 98.5, 98.0, 97.5, 97.0, 96.2)


def run(bleus: tuple[float | None, ...], *, seed: int = 1, counts: tuple[int, ...] = FULL) -> RunResult:
    known = [(bleu, count) for bleu, count in zip(bleus, counts, strict=True) if bleu is not None]
    return RunResult(
        seed=seed,
        bleu=sum(bleu * count for bleu, count in known) / sum(count for _, count in known),
        chrf=61.5,
        signature="nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0",
        chrf_signature="nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0",
        by_length=tuple(
            Bucket(low, high, count, bleu) for (low, high), count, bleu in zip(ENDS, counts, bleus, strict=True)
        ),
        updates=1300,
        train_seconds=144.0,
        target_tokens_per_second=4213.0,
    )


def system(name: str, *runs: RunResult, decoder: str | None = None, parameters: int = 1_000_000) -> SystemResult:
    intervals = tuple(
        None if bucket.bleu is None else Interval(bucket.bleu - 2, bucket.bleu + 1) for bucket in runs[0].by_length
    )
    return SystemResult(
        name, f"configs/{name}.yaml", decoder or name, parameters, runs, device="a processor (cpu)", intervals=intervals
    )


def comparison(*systems: SystemResult, synthetic: bool = False, p_value: float | None = 0.0001) -> Comparison:
    novelty = Novelty(4, 1000, 250, 1200, 300) if synthetic else None
    first, *others = systems
    return Comparison(
        test=TestSet("flickr", 1200, synthetic, "en", "de", novelty),
        systems=systems,
        baseline=first.name,
        significance=tuple(Significance(first.name, s.name, s.bleu - first.bleu, p_value) for s in others),
        command="seq2attn compare",
        version="0.1.0",
    )


CLIFF = comparison(system("lstm", run(FALLING)), system("bahdanau", run(FLAT)))
