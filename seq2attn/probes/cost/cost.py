"""The cost of attention on one machine: pairs, cache, time and memory by length, and the speed of training."""

from dataclasses import dataclass
from typing import Any

import torch

from seq2attn import machine
from seq2attn.errors import UsageError
from seq2attn.probes.cost.cache import CacheSizes, measure_cache
from seq2attn.probes.cost.pairs import PairCounts, measure_pairs
from seq2attn.probes.cost.self_attention import SelfAttentionCost, measure_self_attention
from seq2attn.probes.cost.training import TrainingSpeed, measure_training


@dataclass(frozen=True)
class Cost:
    """Four measurements; the first two are the same on every machine, the last two were made on `hardware`."""

    lengths: tuple[int, ...]
    sentence_lengths: tuple[int, ...]
    seed: int
    hardware: dict[str, Any]
    pairs: PairCounts
    cache: CacheSizes
    self_attention: SelfAttentionCost
    training: TrainingSpeed

    def to_json(self) -> dict[str, Any]:
        """One entry for each measurement; curves run over `lengths`, those of `training` over `sentence_lengths`."""
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
        """The tables of the four measurements, one under the other."""
        kind, threads = self.hardware["device"], self.hardware["threads"]
        threaded = "" if kind != "cpu" else ", 1 thread" if threads == 1 else f", {threads} threads"
        place = f"on {self.hardware['name']} ({kind}{threaded})"
        parts = (
            self.pairs.to_text(),
            self.cache.to_text(),
            self.self_attention.to_text(place),
            self.training.to_text(place),
        )
        return "\n\n\n".join(parts)


def measure_cost(
    *, lengths: tuple[int, ...], sentence_lengths: tuple[int, ...], device: torch.device, seed: int
) -> Cost:
    """Count and measure; lengths must ascend. Raises UsageError for a device whose peak memory PyTorch does not record."""
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"--device {device.type}: its peak memory cannot be measured", "use --device cpu")
    return Cost(
        lengths,
        sentence_lengths,
        seed,
        machine.describe_hardware(device),
        measure_pairs(lengths),
        measure_cache(seed=seed),
        measure_self_attention(lengths, device=device, seed=seed),
        measure_training(sentence_lengths, device=device, seed=seed),
    )
