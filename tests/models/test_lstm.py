"""Stepping against PyTorch's fused LSTM."""

import pytest
import torch
from torch import Tensor, nn

from seq2attn.models.lstm import Bridge, LstmState, make_lstm, make_stepper, run_lstm

N, T, KNOWN, FED, WIDTH = 3, 5, 4, 2, 6


def inputs(layers: int, dtype: torch.dtype = torch.float64) -> tuple[nn.LSTM, Tensor, Tensor, LstmState]:
    torch.manual_seed(5)
    module = make_lstm(KNOWN + FED, WIDTH, layers).to(dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    known, fed = (torch.randn(N, T, size, dtype=dtype, requires_grad=True) for size in (KNOWN, FED))
    hidden, cell = (torch.randn(N, layers, WIDTH, dtype=dtype, requires_grad=True) for _ in range(2))
    return module, known, fed, LstmState(hidden, cell)


def stepped(module: nn.LSTM, known: Tensor, fed: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
    stepper, top = make_stepper(module, known), []
    for step in range(known.shape[1]):
        state = stepper.step(fed[:, step], state)
        top.append(state.hidden[:, -1])
    return torch.stack(top, 1), state


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_stepping_equals_the_fused_lstm_forward_and_backward(layers: int) -> None:
    module, known, fed, state = inputs(layers)
    weights = torch.randn(N, T, WIDTH, dtype=torch.float64)
    leaves = [known, fed, *state, *module.parameters()]
    results = []
    for outputs, last in (run_lstm(module, torch.cat([known, fed], 2), state), stepped(module, known, fed, state)):
        value = (outputs * weights).sum() + last.cell.square().sum() + last.hidden.sum()
        results.append((outputs, *last, *torch.autograd.grad(value, leaves)))
    for fused, own in zip(*results, strict=True):
        torch.testing.assert_close(own, fused, rtol=0, atol=1e-12)


def test_stepping_without_gradients_is_the_same() -> None:
    module, known, fed, state = inputs(2)
    with torch.inference_mode():
        outputs, _ = stepped(module, known, fed, state)
    torch.testing.assert_close(outputs, stepped(module, known, fed, state)[0], rtol=0, atol=0)


def test_bf16_autocast_keeps_the_cell_in_fp32() -> None:
    module, known, fed, state = inputs(2, torch.float32)
    exact, _ = stepped(module, known, fed, state)
    wanted = torch.autograd.grad(exact.sum(), list(module.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        rounded, last = stepped(module, known, fed, state)
    assert last.cell.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, rtol=0, atol=0.03)
    for own, right in zip(torch.autograd.grad(rounded.sum(), list(module.parameters())), wanted, strict=True):
        assert own.dtype == torch.float32
        assert (own - right).norm() < 0.03 * right.norm()


def test_dropout_between_layers_acts_in_training_only() -> None:
    torch.manual_seed(1)
    module = make_lstm(KNOWN + FED, WIDTH, 2, dropout=0.5).double()
    _, known, fed, state = inputs(2)
    exact = run_lstm(module.eval(), torch.cat([known, fed], 2), state)[0]
    torch.testing.assert_close(stepped(module, known, fed, state)[0], exact, rtol=0, atol=1e-12)
    assert not torch.allclose(stepped(module.train(), known, fed, state)[0], exact)


def test_a_fresh_lstm_has_a_forget_bias_of_one() -> None:
    module = make_lstm(KNOWN, WIDTH, 2)
    for name, parameter in module.named_parameters():
        if "bias" in name:
            gates = parameter.detach().view(4, WIDTH).mean(1).tolist()
            assert gates == ([0, 1, 0, 0] if "ih" in name else [0, 0, 0, 0])
        else:
            bound = (6 / (parameter.shape[1] + WIDTH)) ** 0.5  # Xavier-uniform of one gate
            assert 0.8 * bound < parameter.abs().max() <= bound


def test_the_bridge_gives_every_layer_a_state_and_a_cell() -> None:
    torch.manual_seed(0)
    bridge = Bridge(3, width=WIDTH, layers=2)
    vector = torch.randn(N, 3)
    state = bridge(vector)
    flat = torch.tanh(vector @ bridge.projection.weight.T).view(N, 2, 2, WIDTH)
    torch.testing.assert_close(state.hidden, flat[:, 0])
    torch.testing.assert_close(state.cell, flat[:, 1])
