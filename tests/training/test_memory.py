"""The largest batch is tried first, and trying it leaves no trace."""

import re

import pytest
import torch

from seq2attn.data.batches import Batch
from seq2attn.training.memory import OutOfMemoryError, check_memory, is_out_of_memory
from seq2attn.training.trainer import Trainer
from tests.laws.systems import system
from tests.training.toy import batch, trainer

CPU = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."


@pytest.mark.parametrize("name", ["luong", "reinforce", "transformer"])
def test_trying_a_batch_changes_no_bit_of_what_follows(name: str) -> None:
    ends = []
    for tried in ([], [batch(0, 1, 2, 3), batch(1)]):
        model = system(name, dropout=0.3)
        own = trainer([batch(0, 1), batch(2, 3)], model=model, optimizer=torch.optim.AdamW(model.parameters(), 0.01))
        torch.manual_seed(3)
        check_memory(own, tried, batch_tokens=24, accumulation=1)
        assert all(parameter.grad is None for parameter in model.parameters())
        for _ in range(3):
            own.update()
        ends.append((own.read_steps(), [*model.state_dict().values()], torch.get_rng_state()))
    losses = [[step.nll for step in steps] for steps, *_ in ends]
    assert losses[0] == losses[1]
    assert all(torch.equal(a, b) for a, b in zip(ends[0][1], ends[1][1], strict=True))
    assert torch.equal(ends[0][2], ends[1][2])


def limited(own: Trainer, rows: int, error: BaseException) -> None:
    """A trainer with room for batches of so many rows."""
    differentiate = own.differentiate

    def with_limit(part: Batch, tokens: int) -> torch.Tensor:
        if len(part.source) > rows:
            raise error
        return differentiate(part, tokens)

    own.differentiate = with_limit  # type: ignore[method-assign]


@pytest.mark.parametrize("error", [RuntimeError(CPU), torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
@pytest.mark.parametrize(
    ("rows", "message", "hint"),
    [
        (2, "batch of 4 pairs of up to 6 subwords.*: 24. does not fit; .*: 12 would", "to 12, .*accumulation to 6"),
        (1, "; training.batch_tokens: 6 would", "to 6, .*accumulation to 12"),
        (0, "does not fit, nor does one pair of it", "data.max_length"),
    ],
)
def test_a_batch_without_room_is_an_error_that_says_what_would_fit(
    error: BaseException, rows: int, message: str, hint: str
) -> None:
    own = trainer([])
    limited(own, rows, error)
    with pytest.raises(OutOfMemoryError, match=message) as caught:
        check_memory(
            own, [batch(1), batch(0, 1, 2, 3)] if rows else [batch(0, 1, 2, 3)], batch_tokens=24, accumulation=3
        )
    assert re.search(hint, caught.value.hint)


def test_another_error_is_not_taken_for_it() -> None:
    own = trainer([])
    limited(own, 0, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        check_memory(own, [batch(0)], batch_tokens=24, accumulation=1)


def test_a_real_allocation_that_fails_is_recognized() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
