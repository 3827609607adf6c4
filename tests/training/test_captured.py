"""Batches padded to few shapes, and the gradient that a GPU computes of them: what does not need one to be tested."""

import numpy as np
import pytest
import torch

from seq2attn.data.batches import Batch
from seq2attn.tokens import EOS, PAD
from seq2attn.training.captured import round_shape
from seq2attn.training.loss import _differentiate, _differentiate_on_gpu, sequence_loss
from tests.laws.systems import MODELS, sentences, system


def batch(sources: list[int], targets: list[int]) -> Batch:
    return Batch(sentences(sources), sentences(targets), np.arange(len(sources)))


def test_both_sides_get_one_length_and_the_rows_a_round_number() -> None:
    source, target = round_shape(batch([5] * 67, [9] * 67))
    assert source.shape == target.shape == (68, 16)
    assert (source[67] == torch.tensor([EOS, *[PAD] * 15])).all()
    assert (target[67] == PAD).all()
    assert (target[:, 9:] == PAD).all()
    assert round_shape(batch([5], [9]))[0].shape == (1, 16)
    assert round_shape(batch([5], [9]), longest=10)[0].shape == (1, 10)


def test_similar_batches_share_a_shape() -> None:
    shapes = {round_shape(batch([7] * rows, [length] * rows))[0].shape for rows in (961, 984) for length in (9, 16)}
    assert shapes == {(992, 16)}


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("gumbel", "reinforce")])
def test_the_gradient_stays_what_it_was(name: str) -> None:
    plain, found = batch([4, 6, 1], [5, 2, 4]), []
    for source, target in ((plain.source, plain.target), round_shape(plain)):
        model = system(name)
        loss = sequence_loss(model(source, target), model.output, model.bias, target, smoothing=0.1)
        loss.smoothed.backward()
        found.append((loss.nll, {key: p.grad for key, p in model.named_parameters() if p.grad is not None}))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_gpus_expression_is_what_the_cpu_computes_and_nothing_at_padding(smoothing: float) -> None:
    torch.manual_seed(1)
    scores, bias = torch.randn(6, 9, dtype=torch.float64), torch.randn(9, dtype=torch.float64)
    gold = torch.tensor([[4], [PAD], [8], [1], [PAD], [2]])
    right = _differentiate(scores.clone(), bias, gold, smoothing)
    own = _differentiate_on_gpu(scores, bias, gold, smoothing)
    real = gold[:, 0] != PAD
    for a, b in zip(own[0::2], right[0::2], strict=True):
        torch.testing.assert_close(a[real], b[real], rtol=0, atol=1e-12)
        assert (a[~real] == 0).all()
    if smoothing:
        torch.testing.assert_close(own[1][real], right[1][real], rtol=0, atol=1e-12)
