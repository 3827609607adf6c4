"""The layer-normalized LSTM against its equations, written out."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from seq2attn.models.lstm import LstmState, make_lstm, make_stepper, run_lstm
from seq2attn.models.norm_lstm import NormCell, NormLstm

N, T, KNOWN, FED, WIDTH = 3, 5, 4, 2, 6


def normalized_lstm(layers: int, dropout: float = 0.0) -> NormLstm:
    torch.manual_seed(5)
    module = make_lstm(KNOWN + FED, WIDTH, layers, dropout, layer_norm=True).double()
    assert isinstance(module, NormLstm)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return module


def state(layers: int) -> LstmState:
    return LstmState(*(torch.randn(N, layers, WIDTH, dtype=torch.float64) for _ in range(2)))


def step_by_the_equations(cell: NormCell, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Ba et al. 2016, eq. 20 to 22, for one sentence."""
    read = layer_norm(cell.inputs.weight @ x, (4 * WIDTH,)) * cell.norm_inputs.weight + cell.norm_inputs.bias
    kept = layer_norm(cell.hidden.weight @ h, (4 * WIDTH,)) * cell.norm_hidden.weight
    into, forget, candidate, out = (read + kept).view(4, WIDTH)
    c = torch.sigmoid(forget) * c + torch.sigmoid(into) * torch.tanh(candidate)
    return torch.sigmoid(out) * torch.tanh(layer_norm(c, (WIDTH,)) * cell.norm_cell.weight + cell.norm_cell.bias), c


@pytest.mark.parametrize("layers", [1, 2])
def test_it_computes_the_equations(layers: int) -> None:
    module, inputs, before = normalized_lstm(layers), torch.randn(N, T, KNOWN + FED, dtype=torch.float64), state(layers)
    outputs, after = run_lstm(module, inputs, before)
    for row in range(N):
        below = list(inputs[row])
        for layer, cell in enumerate(module.cells):
            assert isinstance(cell, NormCell)
            h, c = before.hidden[row, layer], before.cell[row, layer]
            for step, x in enumerate(below):
                h, c = step_by_the_equations(cell, x, h, c)
                below[step] = h
            torch.testing.assert_close((after.hidden[row, layer], after.cell[row, layer]), (h, c))
        torch.testing.assert_close(outputs[row], torch.stack(below))


def test_stepping_equals_running_all_steps() -> None:
    module, before = normalized_lstm(2), state(2)
    known, fed = (torch.randn(N, T, size, dtype=torch.float64) for size in (KNOWN, FED))
    outputs, last = run_lstm(module, torch.cat([known, fed], 2), before)
    stepper, moved, top = make_stepper(module, known), before, []
    for step in range(T):
        moved = stepper.step(fed[:, step], moved)
        top.append(moved.hidden[:, -1])
    torch.testing.assert_close(torch.stack(top, 1), outputs)
    torch.testing.assert_close(moved, last)


def test_a_larger_input_changes_nothing() -> None:
    module = normalized_lstm(1)
    inputs = torch.randn(N, T, KNOWN + FED, dtype=torch.float64)
    torch.testing.assert_close(module(10 * inputs)[0], module(inputs)[0], rtol=0, atol=1e-4)


def test_dropout_between_layers_acts_in_training_only() -> None:
    module, inputs = normalized_lstm(2, dropout=0.5), torch.randn(N, T, KNOWN + FED, dtype=torch.float64)
    assert not torch.equal(module(inputs)[0], module(inputs)[0])
    assert torch.equal(module.eval()(inputs)[0], module(inputs)[0])


def test_a_fresh_cell_forgets_little() -> None:
    cell = NormCell(3, WIDTH)
    assert cell.norm_inputs.bias.view(4, WIDTH).mean(1).tolist() == [0, 1, 0, 0]
