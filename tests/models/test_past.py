"""The keys and values of search: kept once, appended to in place, whole for everyone who holds an older state."""

import torch
from torch import Tensor

from seq2attn.models.past import Past, Slots
from seq2attn.tensors import select, take

B, G, K = 2, 3, 4


def rows(width: int, seed: int) -> Tensor:
    return torch.randn(B, G, width, K, generator=torch.Generator().manual_seed(seed))


def empty() -> Slots:
    return Slots(rows(0, 0), rows(0, 0), 0)


@torch.no_grad()
def test_a_hundred_steps_copy_less_than_twice_what_they_write() -> None:
    slots, moves = empty(), []
    for step in range(100):
        before = slots.keys.data_ptr()
        slots = slots.append(rows(5, step), -rows(5, step))
        moves += [5 * step] if slots.keys.data_ptr() != before else []
    assert sum(moves) < 2 * 500
    torch.testing.assert_close(slots.keys, torch.cat([rows(5, step) for step in range(100)], 2), rtol=0, atol=0)
    torch.testing.assert_close(slots.values, -slots.keys, rtol=0, atol=0)


@torch.no_grad()
def test_two_futures_of_one_past_do_not_see_each_other() -> None:
    past = empty().append(rows(2, 1), rows(2, 1))
    one, other = (past.append(rows(2, seed), rows(2, seed)) for seed in (2, 3))
    longer = one.append(rows(1, 4), rows(1, 4))
    torch.testing.assert_close(past.keys, rows(2, 1), rtol=0, atol=0)
    torch.testing.assert_close(one.keys, torch.cat([rows(2, 1), rows(2, 2)], 2), rtol=0, atol=0)
    torch.testing.assert_close(other.keys, torch.cat([rows(2, 1), rows(2, 3)], 2), rtol=0, atol=0)
    torch.testing.assert_close(longer.keys, torch.cat([rows(2, 1), rows(2, 2), rows(1, 4)], 2), rtol=0, atol=0)


def test_every_step_keeps_its_gradient() -> None:
    words = [rows(2, seed).requires_grad_() for seed in (1, 2)]
    slots = empty()
    products = []
    for word in words:
        slots = slots.append(word, word)
        products.append((slots.keys * slots.values).sum())
    sum(products).backward()  # type: ignore[union-attr]
    torch.testing.assert_close(words[0].grad, 4 * words[0])
    torch.testing.assert_close(words[1].grad, 2 * words[1])


@torch.no_grad()
def test_hypotheses_keep_their_own_steps_through_reordering() -> None:
    slots = empty().append(rows(2, 1), rows(2, 1)).append(rows(2, 2), rows(2, 2))
    past = Past(torch.tensor([[[0, 2], [1, 3]]] * B), (slots,))
    reordered = select(past, torch.tensor([[1, 1, 0], [0, 1, 1]]))
    assert isinstance(reordered, Past)
    assert reordered.places.tolist() == [[[1, 3], [1, 3], [0, 2]], [[0, 2], [1, 3], [1, 3]]]
    assert reordered.layers[0] is slots
    memory = slots.gather(reordered.places)
    torch.testing.assert_close(memory.keys[0], torch.stack([rows(2, 1)[0, :, 1], rows(2, 2)[0, :, 1]], 1))
    kept = take(reordered, torch.tensor([1]))
    assert kept.places.tolist() == [[[0, 2], [1, 3], [1, 3]]]
    torch.testing.assert_close(kept.layers[0].keys, slots.keys[1:])
