"""A run under a curriculum."""

from pathlib import Path

import pytest
import torch

from seq2attn.data.batches import Batch
from seq2attn.runs.train import train
from seq2attn.training.trainer import Trainer
from tests.tiny import tiny


def test_a_curriculum_begins_with_short_pairs_and_tries_the_largest_batches_of_all_before(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    differentiate = Trainer.differentiate

    def watched(self: Trainer, batch: Batch, tokens: int) -> torch.Tensor:
        seen.append(max(batch.source.shape[1], batch.target.shape[1]))
        return differentiate(self, batch, tokens)

    monkeypatch.setattr(Trainer, "differentiate", watched)
    train(tiny(corpus, "training.curriculum={start: 0.05, all_from: 50}"), tmp_path, device="cpu")
    tried, trained = seen[:-12], seen[-12:]
    assert max(trained) < min(tried)
