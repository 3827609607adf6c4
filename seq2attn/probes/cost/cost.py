"""All that is measured of attention's cost, on one machine."""

from dataclasses import dataclass
from typing import Any

from seq2attn import machine
from seq2attn.errors import UsageError
from seq2attn.probes.cost import cache, pairs, self_attention, training
from seq2attn.probes.cost.cache import Cache
from seq2attn.probes.cost.pairs import Pairs
from seq2attn.probes.cost.self_attention import SelfAttention
from seq2attn.probes.cost.training import Training


@dataclass(frozen=True)
class Cost:
    """Four measurements; `hardware` is the machine of the last two, for which alone it matters."""

    lengths: tuple[int, ...]
    sentence_lengths: tuple[int, ...]
    seed: int
    hardware: dict[str, Any]
    pairs: Pairs
    cache: Cache
    self_attention: SelfAttention
    training: Training

    def to_json(self) -> dict[str, Any]:
        """All figures, in the order of the lengths."""
        return {
            "lengths": list(self.lengths),
            "sentence_lengths": list(self.sentence_lengths),
            "seed": self.seed,
            "hardware": self.hardware,
            "pairs": self.pairs.to_json(),
            "cache": self.cache.to_json(),
            "self_attention": self.self_attention.to_json(),
            "training": self.training.to_json(),
        }

    def to_text(self) -> str:
        """For a terminal."""
        kind, threads = self.hardware["device"], self.hardware["threads"]
        threaded = "" if kind != "cpu" else ", 1 thread" if threads == 1 else f", {threads} threads"
        where = f"on {self.hardware['name']} ({kind}{threaded})"
        parts = (
            self.pairs.to_text(),
            self.cache.to_text(),
            self.self_attention.to_text(where),
            self.training.to_text(where),
        )
        return "\n\n\n".join(parts)


def measure(*, lengths: tuple[int, ...], sentence_lengths: tuple[int, ...], device: str, seed: int) -> Cost:
    """Count and measure; lengths ascend. Raises UsageError for a device whose peak memory nobody records."""
    where = machine.choose_device(device)
    if where.type not in ("cpu", "cuda"):
        raise UsageError(f"--device {device}: peak memory cannot be measured on {where.type}", "use --device cpu")
    return Cost(
        lengths,
        sentence_lengths,
        seed,
        machine.describe_hardware(where),
        pairs.measure(lengths),
        cache.measure(seed=seed),
        self_attention.measure(lengths, where=where, seed=seed),
        training.measure(sentence_lengths, where=where, seed=seed),
    )
