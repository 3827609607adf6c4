"""The convolutional encoder: numbers by hand, PyTorch's own functions, and what a state may see."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv1d, glu

from seq2attn.models.conv_encoder import ConvEncoder
from seq2attn.models.embedding import Embedding, Sinusoidal, token_embedding
from seq2attn.models.seq2seq import Encoded, Encoder

WIDTH = 6
EXACT = {"rtol": 0.0, "atol": 1e-12}


def encoder(layers: int = 3, kernel: int = 3, dropout: float = 0.0) -> ConvEncoder:
    """In fp64; the weights are drawn wide, so that nothing holds by smallness."""
    torch.manual_seed(4)
    embedding = Embedding(token_embedding(11, WIDTH), dropout=0.0, positions=Sinusoidal(WIDTH))
    made = ConvEncoder(embedding, layers=layers, kernel=kernel, dropout=dropout).double()
    for layer in made.layers:
        torch.nn.init.normal_(layer.weight, std=0.5)
        torch.nn.init.normal_(layer.bias, std=0.5)
    return made


def real(encoded: Encoded, row: int, length: int) -> list[Tensor]:
    assert encoded.values is not None
    return [encoded.states[row, :length], encoded.values[row, :length], encoded.final[row]]


def test_one_layer_by_hand() -> None:
    table = token_embedding(7, 1)
    made = ConvEncoder(Embedding(table, dropout=0.0), layers=1, kernel=3, dropout=0.0).double()
    with torch.no_grad():
        table.weight[4:] = torch.tensor([[1.0], [2.0], [4.0]])
        # a = both neighbors, σ(b) = ¾
        made.layers[0].weight.copy_(torch.tensor([[[1.0, 0, 1]], [[0, 0, 0]]]))
        made.layers[0].bias.copy_(torch.tensor([0.0, math.log(3)], dtype=torch.float64))
    encoded = made(torch.tensor([[4, 5, 6, 0]]))
    half = math.sqrt(0.5)
    states = [2.5 * half, 5.75 * half, 5.5 * half]
    assert encoded.states[0, :3, 0].tolist() == pytest.approx(states, abs=1e-12)
    assert encoded.final.tolist() == [pytest.approx([13.75 / 3 * half], abs=1e-12)]
    values = [(state + embedded) * half for state, embedded in zip(states, [1, 2, 4], strict=True)]
    assert encoded.values[0, :3, 0].tolist() == pytest.approx(values, abs=1e-12)
    assert encoded.mask.tolist() == [[True, True, True, False]]


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_sentence_without_padding_equals_pytorchs_convolutions_and_gated_linear_units(kernel: int) -> None:
    made, source = encoder(kernel=kernel), torch.tensor([[4, 9, 5, 6, 3]])
    embedded = states = made.embedding(source)
    for layer in made.layers:
        convolved = conv1d(states.transpose(1, 2), layer.weight, layer.bias, padding=kernel // 2).transpose(1, 2)
        states = (glu(convolved) + states) / math.sqrt(2)
    expected = Encoded(states, source != 0, states.mean(1), (states + embedded) / math.sqrt(2))
    for own, right in zip(made(source), expected, strict=True):
        torch.testing.assert_close(own, right, **EXACT)


def test_padding_and_batch_composition_are_invisible() -> None:
    rows, made = [[4, 5, 6, 3], [3], [7, 8, 9, 10, 4, 3]], encoder()
    together = made(torch.tensor([row + [0] * (9 - len(row)) for row in rows]))
    for index, row in enumerate(rows):
        alone = made(torch.tensor([row]))
        for own, right in zip(real(together, index, len(row)), real(alone, 0, len(row)), strict=True):
            torch.testing.assert_close(own, right, **EXACT)


@pytest.mark.parametrize(("layers", "kernel"), [(1, 3), (3, 3), (2, 5), (3, 1)])
def test_a_token_reaches_exactly_the_states_of_the_receptive_field(layers: int, kernel: int) -> None:
    made, source = encoder(layers, kernel), torch.full((1, 15), 4)
    changed = source.clone()
    changed[0, 7] = 5
    differs = (made(source).states != made(changed).states).any(2)[0]
    reach = layers * (kernel - 1) // 2
    assert differs.nonzero().flatten().tolist() == list(range(7 - reach, 7 + reach + 1))


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="odd kernel, not 4"):
        encoder(kernel=4)


def test_it_is_an_encoder_as_wide_as_its_embedding() -> None:
    made = encoder()
    assert isinstance(made, Encoder)
    assert made.width == made.final_width == made.embedding.width == WIDTH


def test_fresh_weights_have_the_variance_that_gating_and_dropout_ask_for() -> None:
    torch.manual_seed(1)
    embedding = Embedding(token_embedding(5, 64), dropout=0.0)
    layer = ConvEncoder(embedding, layers=1, kernel=5, dropout=0.2).layers[0]
    assert layer.weight.std().item() == pytest.approx(math.sqrt(4 * 0.8 / (5 * 64)), rel=0.02)
    assert (layer.bias == 0).all()


def test_dropout_acts_on_the_input_of_each_convolution_in_training_only() -> None:
    made, source = encoder(dropout=0.5), torch.tensor([[4, 9, 5, 3]])
    seen: list[Tensor] = []
    for layer in made.layers:
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    made(source)
    assert all((inputs == 0).any() for inputs in seen)
    seen.clear()
    made.eval()(source)
    assert len(seen) == 3
    assert not any((inputs == 0).any() for inputs in seen)


def test_bf16_autocast_is_close() -> None:
    made, source = encoder().float(), torch.tensor([[4, 9, 5, 3], [7, 3, 0, 0]])
    exact = made(source)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = made(source)
    assert not torch.equal(rounded.states, exact.states)
    torch.testing.assert_close(rounded.states, exact.states, rtol=0, atol=0.05)
    torch.testing.assert_close(rounded.final, exact.final, rtol=0, atol=0.05)
