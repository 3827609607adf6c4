"""Gates on encoder states: numbers by hand, limits, and padding that no gate sees."""

import math

import pytest
import torch
from torch import Tensor, nn

from seq2attn.models.conv_encoder import ConvEncoder
from seq2attn.models.embedding import Embedding, Sinusoidal, token_embedding
from seq2attn.models.gates import ChannelGate, Gated, SpatialGate
from seq2attn.models.lstm_encoder import LstmEncoder
from seq2attn.models.seq2seq import Encoder

WIDTH = 6
EXACT = {"rtol": 0.0, "atol": 1e-12}
SENTENCES = [[4, 5, 6, 3], [3], [7, 8, 9, 10, 4, 3]]


def shaken(module: nn.Module) -> nn.Module:
    """In fp64, with weights that no initialization makes equal or zero."""
    torch.manual_seed(3)
    for parameter in module.double().parameters():
        nn.init.normal_(parameter, std=0.7)
    return module


def random_states(length: int) -> Tensor:
    return torch.randn(2, length, WIDTH, generator=torch.Generator().manual_seed(length), dtype=torch.float64)


def gates() -> list[nn.Module]:
    return [shaken(ChannelGate(WIDTH, 2)), shaken(SpatialGate(3))]


def lstm() -> LstmEncoder:
    embedding = Embedding(token_embedding(11, 4), dropout=0.0)
    return LstmEncoder(embedding, width=WIDTH // 2, layers=2, bidirectional=True)


def convolutional() -> ConvEncoder:
    embedding = Embedding(token_embedding(11, WIDTH), dropout=0.0, positions=Sinusoidal(WIDTH))
    return ConvEncoder(embedding, layers=2, kernel=3, dropout=0.0)


each_gate = pytest.mark.parametrize("gate", gates(), ids=["channel", "spatial"])
each_encoder = pytest.mark.parametrize("make", [lstm, convolutional])


def padded(rows: list[list[int]], length: int = 9) -> Tensor:
    return torch.tensor([row + [0] * (length - len(row)) for row in rows])


@torch.no_grad()
def identity(gate: ChannelGate) -> ChannelGate:
    """W_1 = W_2 = I, without biases."""
    for layer in (gate.reduce, gate.restore):
        layer.weight.copy_(torch.eye(len(layer.weight)))
        layer.bias.zero_()
    return gate.double()


def test_the_worked_example_of_a_channel_gate() -> None:
    states = torch.tensor([[[1, 2], [3, 4], [9, -9]]], dtype=torch.float64)
    found = identity(ChannelGate(2, 1))(states, torch.tensor([[True, True, False]]))
    torch.testing.assert_close(
        found[0, 0] / states[0, 0], torch.tensor([0.880797, 0.952574]).double(), rtol=0, atol=5e-7
    )
    expected = torch.tensor([[0.880797, 1.905148], [2.642391, 3.810297]]).double()
    torch.testing.assert_close(found[0, :2], expected, rtol=0, atol=1e-6)


def test_the_hidden_layer_of_a_channel_gate_is_rectified() -> None:
    states = torch.tensor([[[-2, 3]]], dtype=torch.float64)
    found = identity(ChannelGate(2, 1))(states, torch.tensor([[True]]))
    torch.testing.assert_close(found, torch.tensor([[[-1, 2.857722]]]).double(), rtol=0, atol=1e-6)


def test_the_worked_example_of_a_spatial_gate() -> None:
    gate = SpatialGate(3).double()
    with torch.no_grad():
        # the mean of its own position, the maximum of the next: σ(2 + 1), σ(−1)
        gate.convolution.weight.copy_(torch.tensor([[[0, 1, 0], [0, 0, 1]]]))
    states = torch.tensor([[[1, 3], [-3, 1], [99, 99]]], dtype=torch.float64)
    found = gate(states, torch.tensor([[True, True, False]]))
    expected = torch.tensor([[0.952574, 2.857722], [-0.806824, 0.268941]]).double()
    torch.testing.assert_close(found[0, :2], expected, rtol=0, atol=1e-6)


def test_a_channel_gate_that_is_always_open_is_the_identity() -> None:
    gate, states = shaken(ChannelGate(WIDTH, 3)), random_states(4)
    nn.init.zeros_(gate.restore.weight)
    nn.init.constant_(gate.restore.bias, 50)
    assert torch.equal(gate(states, torch.ones(2, 4, dtype=torch.bool)), states)


def test_a_spatial_gate_without_weights_halves_every_state() -> None:
    gate, states = SpatialGate().double(), random_states(4)
    nn.init.zeros_(gate.convolution.weight)
    assert torch.equal(gate(states, torch.ones(2, 4, dtype=torch.bool)), states / 2)


@each_gate
@pytest.mark.parametrize("noise", [1e9, math.inf, math.nan])
def test_gates_never_see_padding(gate: nn.Module, noise: float) -> None:
    states, mask = random_states(5), torch.arange(5) < torch.tensor([[5], [3]])
    filled = states.masked_fill(~mask[:, :, None], noise)
    found = gate(filled, mask)
    torch.testing.assert_close(found[:1], gate(states[:1], mask[:1]), **EXACT)
    torch.testing.assert_close(found[1:, :3], gate(states[1:, :3], mask[1:, :3]), **EXACT)


@each_gate
def test_gradients_are_exact_and_none_comes_to_padding(gate: nn.Module) -> None:
    states, mask = random_states(4), torch.arange(4) < torch.tensor([[4], [2]])
    states.requires_grad_()

    def real(states: Tensor) -> Tensor:
        return gate(states, mask)[mask]

    assert torch.autograd.gradcheck(real, states)
    (gradient,) = torch.autograd.grad(real(states).square().sum(), states)
    assert (gradient[~mask] == 0).all()
    assert (gradient[mask] != 0).all()


@each_encoder
def test_padding_and_batch_composition_are_invisible_behind_gates(make: type) -> None:
    gated = shaken(Gated(make(), gates()))
    together = gated(padded(SENTENCES))
    for index, row in enumerate(SENTENCES):
        alone = gated(torch.tensor([row]))
        torch.testing.assert_close(together.states[index, : len(row)], alone.states[0], **EXACT)
        torch.testing.assert_close(together.final[index], alone.final[0], **EXACT)
        if alone.values is not None:
            torch.testing.assert_close(together.values[index, : len(row)], alone.values[0], **EXACT)


@each_encoder
def test_gates_act_in_order_on_states_and_values_alone(make: type) -> None:
    encoder, (channel, spatial), source = shaken(make()), gates(), padded(SENTENCES)
    plain, gated = encoder(source), Gated(encoder, [channel, spatial])(source)
    mask = plain.mask
    torch.testing.assert_close(gated.states, spatial(channel(plain.states, mask), mask), rtol=0, atol=0)
    assert not torch.allclose(gated.states, channel(spatial(plain.states, mask), mask))
    assert torch.equal(gated.final, plain.final)
    assert torch.equal(gated.mask, mask)
    if plain.values is None:
        assert gated.values is None
    else:
        torch.testing.assert_close(gated.values, spatial(channel(plain.values, mask), mask), rtol=0, atol=0)


@each_encoder
def test_a_gated_encoder_has_the_widths_of_the_encoder_inside(make: type) -> None:
    encoder = make()
    gated = Gated(encoder, gates())
    assert isinstance(gated, Encoder)
    assert (gated.width, gated.final_width) == (encoder.width, encoder.final_width)
    tables = [name for name in gated.state_dict() if "embedding" in name]
    assert tables == ["encoder.embedding.table.weight"]  # a table saved twice could not be loaded


def test_a_reduction_that_does_not_divide_the_width_is_refused() -> None:
    with pytest.raises(ValueError, match="reduction of 4 does not divide the width 6"):
        ChannelGate(WIDTH, 4)


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="odd kernel, not 2"):
        SpatialGate(2)


def test_bf16_autocast_is_close() -> None:
    gated, source = shaken(Gated(convolutional(), gates())).float(), padded(SENTENCES)
    exact = gated(source)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = gated(source)
    assert not torch.equal(rounded.states, exact.states)
    torch.testing.assert_close(rounded.states, exact.states, rtol=0.02, atol=0.05)
