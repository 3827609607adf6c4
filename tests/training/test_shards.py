"""Gradients computed by several processes: the same sum, the same bits each time, and one line if a process dies."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2attn.data.batches import Batch
from seq2attn.errors import Seq2attnError
from seq2attn.tokens import PAD
from seq2attn.training import shards
from seq2attn.training.shards import can_share
from seq2attn.training.trainer import Trainer
from tests.laws.systems import MODELS, sentences, system
from tests.training.toy import trainer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
SOURCE, TARGET = sentences([4, 6, 1, 5, 9]), sentences([5, 2, 4, 7, 3])
BATCH = Batch(SOURCE, TARGET, np.arange(5))
TOKENS = int((TARGET != PAD).sum())


@pytest.fixture(autouse=True)
def _three_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(shards, "SHARD_TOKENS", 1)
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(1)


def make(name: str, dropout: float = 0.0, batches: list[Batch] | None = None) -> Trainer:
    model = system(name, dropout=dropout)
    return trainer(batches or [BATCH], model=model, optimizer=torch.optim.AdamW(model.parameters(), 0.01))


def gradients(own: Trainer) -> dict[str, torch.Tensor]:
    return {key: p.grad.clone() for key, p in own.model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", ["lstm", "bahdanau", "luong", "transformer", "marginal", "location"])
def test_the_sum_of_the_shards_is_the_gradient_of_the_batch(name: str) -> None:
    own, alone = make(name), make(name)
    own.model.train()
    alone.model.train()
    found = own.differentiate(BATCH, TOKENS)
    right = alone._differentiate(SOURCE, TARGET, TOKENS)
    assert float(found) == pytest.approx(float(right.detach()), abs=1e-9)
    torch.testing.assert_close(gradients(own), gradients(alone), rtol=0, atol=1e-10)
    assert len(own.shards._others) == 2  # type: ignore[union-attr]


def test_updates_see_the_new_weights_in_every_process() -> None:
    own, alone = make("luong"), make("luong")
    alone.shards = None
    for each in (own, alone):
        for _ in range(4):
            each.update()
    for a, b in zip(own.model.parameters(), alone.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-8)


def test_the_random_state_of_this_process_decides_every_draw() -> None:
    ends = []
    for stop in (None, 2):
        own = make("transformer", dropout=0.3)
        torch.manual_seed(5)
        for update in range(4):
            if update == stop:  # a new process goes on
                weights, state = own.model.state_dict(), torch.get_rng_state()
                optimizer = own.optimizer.state_dict()
                own = make("transformer", dropout=0.3)
                own.model.load_state_dict(weights)
                own.optimizer.load_state_dict(optimizer)
                torch.set_rng_state(state)
                own.position.update = update
            own.update()
        ends.append(torch.cat([parameter.detach().flatten() for parameter in own.model.parameters()]))
    assert torch.equal(*ends)


def test_a_batch_of_few_rows_has_as_many_shards() -> None:
    own = make("luong", batches=[Batch(SOURCE[:2], TARGET[:2], np.arange(2))])
    own.update()
    assert len(own.shards._others) == 1  # type: ignore[union-attr]


def test_a_process_that_is_killed_is_one_clear_error() -> None:
    own = make("luong")
    own.update()
    os.kill(own.shards._others[0].process, signal.SIGKILL)  # type: ignore[union-attr]
    with pytest.raises(Seq2attnError, match="a training process was killed") as caught:
        own.update()
    assert "batch_tokens" in caught.value.hint


def test_an_error_of_another_process_is_raised_here() -> None:
    own = make("luong")
    first, differentiate = os.getpid(), own.shards._differentiate  # type: ignore[union-attr]

    def fail(source: torch.Tensor, target: torch.Tensor, tokens: int) -> torch.Tensor:
        if os.getpid() != first:
            raise RuntimeError("not enough memory")
        return differentiate(source, target, tokens)

    own.shards._differentiate = fail  # type: ignore[union-attr]
    with pytest.raises(RuntimeError, match="not enough memory"):
        own.update()
    own.shards._differentiate = differentiate  # type: ignore[union-attr]
    own.optimizer.zero_grad()
    alone = make("luong")
    alone.model.train()
    own.differentiate(BATCH, TOKENS)  # by new processes
    alone._differentiate(SOURCE, TARGET, TOKENS)
    torch.testing.assert_close(gradients(own), gradients(alone), rtol=0, atol=1e-10)


def test_no_process_outlives_its_trainer() -> None:
    own = make("luong")
    own.update()
    processes = [other.process for other in own.shards._others]  # type: ignore[union-attr]
    own.shards._end()  # type: ignore[union-attr]
    assert not any(Path(f"/proc/{process}").exists() for process in processes)


def test_what_keeps_something_of_a_batch_is_not_shared() -> None:
    shared = {name: can_share(system(name)) for name in MODELS}
    assert [name for name, may in shared.items() if not may] == [
        "gumbel",
        "reinforce",
        "transformer, local-m with drawn positions",
    ]
