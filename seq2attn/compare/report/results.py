"""The figures of one comparison, and the report.json that is made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, stdev
from typing import Any

from seq2attn.evaluation.by_length import Bucket, Unit
from seq2attn.evaluation.intervals import Interval
from seq2attn.evaluation.novelty import Novelty

FEW = 30  # a bucket of fewer sentences is drawn hollow, and the verdict leaves it out


@dataclass(frozen=True)
class RunResult:
    """One trained model on the test set; training time in seconds, throughput in real target tokens per second.

    `remarks` say what a reader must know of its translations, such as how many were cut.
    """

    seed: int
    bleu: float
    chrf: float
    signature: str
    chrf_signature: str
    by_length: tuple[Bucket, ...]
    updates: int
    train_seconds: float
    target_tokens_per_second: float
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class SystemResult:
    """All runs of one config, one for each seed; `decoder` is the type of its decoder, `precision` that of translating.

    `known_pairs` counts the test pairs that are in its training text; None: that text is gone. `intervals` are those of
    `by_length` over the choice of test sentences; None where a bucket is empty.
    """

    name: str
    config: str
    decoder: str
    parameters: int
    runs: tuple[RunResult, ...]
    beam: int = 5
    length_penalty: float = 1.0
    device: str = ""
    known_pairs: int | None = 0
    precision: str = "fp32"
    intervals: tuple[Interval | None, ...] = ()

    @property
    def bleu(self) -> float:
        return mean(run.bleu for run in self.runs)

    @property
    def bleu_std(self) -> float | None:
        """Sample standard deviation over the seeds; None for one seed."""
        return sample_std([run.bleu for run in self.runs])

    @property
    def chrf(self) -> float:
        return mean(run.chrf for run in self.runs)

    @property
    def train_seconds(self) -> float:
        return mean(run.train_seconds for run in self.runs)

    @property
    def target_tokens_per_second(self) -> float:
        return mean(run.target_tokens_per_second for run in self.runs)

    @property
    def by_length(self) -> tuple[Bucket, ...]:
        """The buckets with their BLEU averaged over the seeds."""
        return tuple(
            Bucket(same[0].low, same[0].high, same[0].sentences, _mean_or_none([bucket.bleu for bucket in same]))
            for same in zip(*(run.by_length for run in self.runs), strict=True)
        )


@dataclass(frozen=True)
class TestSet:
    """The test set of all systems; `synthetic` for the embedded grammar's sentences."""

    __test__ = False  # not a test class

    name: str
    sentences: int
    synthetic: bool
    source_language: str
    target_language: str
    novelty: Novelty | None = None
    unit: Unit = "words"  # of a source's length
    remarks: Sequence[str] = ()  # what makes its scores doubtful, such as references that look tokenized
    whole: int | None = None  # sentences of the whole set, if only its first ones are used


@dataclass(frozen=True)
class Significance:
    """BLEU of `system` minus that of `baseline`, and the largest p over the seeds of both (None: no common seed)."""

    baseline: str
    system: str
    bleu_difference: float
    p_value: float | None


@dataclass(frozen=True)
class LengthEffect:
    """How much further `baseline` is behind `system` on the longest sentences than on the shortest, in BLEU points.

    `shortest`, `longest`: the two differences, in buckets that are large enough; `growth`: the second minus the first, and
    `interval` that of the growth over the choice of test sentences.
    """

    baseline: str
    system: str
    shortest: float
    longest: float
    growth: float
    interval: Interval


@dataclass(frozen=True)
class Failure:
    """A system that could not be trained or tested: why, what to do about it, and the exit code that this asks for."""

    system: str
    reason: str
    hint: str
    exit_code: int


@dataclass(frozen=True)
class Excerpt:
    """A test sentence with its number (from 1), its reference, and its translation by each system, by the system's name."""

    line: int
    source: str
    reference: str
    translations: Mapping[str, str]


@dataclass(frozen=True)
class Comparison:
    """Everything that the report says.

    `pending` names the systems that are not evaluated yet; `failed` are those that could not be trained or tested.
    """

    test: TestSet
    systems: tuple[SystemResult, ...]
    baseline: str
    significance: tuple[Significance, ...] = ()
    length_effect: LengthEffect | None = None
    excerpts: tuple[Excerpt, ...] = ()
    pending: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()
    command: str = ""
    version: str = ""

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(sorted({run.seed for system in self.systems for run in system.runs}))

    @property
    def one_seed(self) -> bool:
        """True if some system was trained with one seed only, so that nothing is known about the spread over seeds."""
        return any(len(system.runs) == 1 for system in self.systems)

    def against_baseline(self, name: str) -> Significance | None:
        """The difference of the system `name` to the baseline; None for the baseline itself, and until both are evaluated."""
        return next((entry for entry in self.significance if entry.system == name), None)


def sample_std(values: Sequence[float]) -> float | None:
    """√(Σ(x − x̄)² / (n − 1)); None for one value."""
    return stdev(values) if len(values) > 1 else None


def describe_size_spread(parameters: Mapping[str, int], baseline: str) -> str | None:
    """A remark if the largest model has over 5 % more parameters than the smallest."""
    least, most = (choose(parameters, key=lambda name: parameters[name]) for choose in (min, max))
    ratio = parameters[most] / parameters[least] - 1
    if ratio <= 0.05:
        return None
    if most == baseline:
        return f"The baseline {most} is the largest: it has {ratio:.0%} more parameters than {least}."
    return f"The sizes do not match: {most} has {ratio:.0%} more parameters than {least}."


def _mean_or_none(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None


def to_json(comparison: Comparison) -> dict[str, Any]:
    """The content of report.json; other programs rely on its keys."""
    return {
        "test": {
            "name": comparison.test.name,
            "sentences": comparison.test.sentences,
            "synthetic": comparison.test.synthetic,
            **({} if comparison.test.unit == "words" else {"length_unit": comparison.test.unit}),
            **({} if comparison.test.whole is None else {"whole": comparison.test.whole}),
        },
        "systems": [_system_to_json(system) for system in comparison.systems],
        "significance": [
            {
                "baseline": entry.baseline,
                "system": entry.system,
                "bleu_difference": entry.bleu_difference,
                "p_value": entry.p_value,
            }
            for entry in comparison.significance
        ],
        "length_effect": None if comparison.length_effect is None else asdict(comparison.length_effect),
        "failed": [
            {"system": failure.system, "reason": failure.reason, "exit_code": failure.exit_code}
            for failure in comparison.failed
        ],
    }


def _system_to_json(system: SystemResult) -> dict[str, Any]:
    return {
        "name": system.name,
        "config": system.config,
        "parameters": system.parameters,
        "test_pairs_in_training": system.known_pairs,
        "bleu": {"mean": system.bleu, "std": system.bleu_std},
        "by_length": [
            bucket.to_json() | {"interval": interval}
            for bucket, interval in zip(system.by_length, system.intervals, strict=True)
        ]
        if system.intervals
        else [],
        "runs": [
            {
                "seed": run.seed,
                "bleu": run.bleu,
                "chrf": run.chrf,
                "signature": run.signature,
                "by_length": [bucket.to_json() for bucket in run.by_length],
                "updates": run.updates,
                "train_seconds": run.train_seconds,
                "target_tokens_per_second": run.target_tokens_per_second,
                "remarks": list(run.remarks),
            }
            for run in system.runs
        ],
    }
