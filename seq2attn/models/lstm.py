"""LSTM layers that run a whole sequence in one fused call, or step when a step needs the one before."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import Function, FunctionCtx
from torch.nn.functional import linear

from seq2attn.models.norm_lstm import NormLstm
from seq2attn.models.projection import make_projection
from seq2attn.tensors import compute_dtype


class LstmState(NamedTuple):
    """Hidden states and cells of every layer, N rows."""

    hidden: Float[Tensor, "N L H"]
    cell: Float[Tensor, "N L H"]


def make_lstm(
    input_width: int, width: int, layers: int = 1, dropout: float = 0.0, *, layer_norm: bool = False
) -> nn.LSTM | NormLstm:
    """A batch-first LSTM: Xavier-uniform gates, zero biases, forget bias 1. With `layer_norm` gates and cells are normalized."""
    if layer_norm:
        return NormLstm(input_width, width, layers, dropout)
    module = nn.LSTM(input_width, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
    for name, parameter in module.named_parameters():
        if name.startswith("weight"):
            for gate in parameter.data.chunk(4):
                nn.init.xavier_uniform_(gate)
        else:
            nn.init.zeros_(parameter)
            if name.startswith("bias_ih"):
                parameter.data.chunk(4)[1].fill_(1.0)
    return module


def apply_lstm(module: nn.Module, inputs: Float[Tensor, "N T I"], initial: Any = None) -> Any:
    """`module(inputs, initial)`; on a GPU in fp32, whose products cuDNN rounds to TF32.

    Autocast would make them fp16, whatever it is told: PyTorch has no cuDNN LSTM in bf16. Fp16 cannot tell numbers below
    6e-8 from 0, and gradients are not scaled here.
    """
    if inputs.device.type != "cuda" or isinstance(module, NormLstm):
        return module(inputs, initial)
    by_cudnn = module.training or not torch.is_grad_enabled()  # it differentiates in training alone
    with torch.autocast("cuda", enabled=False), torch.backends.cudnn.flags(enabled=by_cudnn):
        return module(inputs.to(next(module.parameters()).dtype), initial)


def run_lstm(
    module: nn.LSTM | NormLstm, inputs: Float[Tensor, "N T I"], state: LstmState
) -> tuple[Float[Tensor, "N T H"], LstmState]:
    """All T steps; of a `nn.LSTM` in one fused call."""
    initial = (state.hidden.transpose(0, 1).contiguous(), state.cell.transpose(0, 1).contiguous())
    outputs, (hidden, cell) = apply_lstm(module, inputs, initial)
    return outputs, LstmState(hidden.transpose(0, 1), cell.transpose(0, 1))


class Bridge(nn.Module):
    """state = tanh(W vector + b): the first hidden states and cells of every decoder layer (Bahdanau et al. 2015, A.2.2)."""

    def __init__(self, vector: int, *, width: int, layers: int) -> None:
        super().__init__()
        self.layers = layers
        self.projection = make_projection(vector, 2 * layers * width)

    def forward(self, vector: Float[Tensor, "N F"]) -> LstmState:
        """The initial state."""
        state = torch.tanh(self.projection(vector)).unflatten(1, (2, self.layers, -1))
        state = state.to(self.projection.weight.dtype)  # recurrent state stays in full precision under autocast
        return LstmState(state[:, 0], state[:, 1])

    def start_hypotheses(self, vector: Float[Tensor, "B F"], width: int) -> LstmState:
        """The initial state of `width` equal hypotheses; leaves "B W L H"."""
        return LstmState(*(leaf[:, None].expand(-1, width, -1, -1) for leaf in self(vector)))


def make_stepper(module: nn.LSTM | NormLstm, known: Float[Tensor, "N T I"]) -> "FusedStepper | NormStepper":
    """Steps an LSTM whose input is [known; fed]: `known` (embeddings) for all T steps beforehand, `fed` at each step."""
    return NormStepper(module, known) if isinstance(module, NormLstm) else FusedStepper(module, known)


class NormStepper:
    """Steps a `NormLstm`. Normalization takes all of the input, so nothing can be computed beforehand."""

    def __init__(self, module: NormLstm, known: Float[Tensor, "N T I"]) -> None:
        self._module = module
        self._known = iter(known.unbind(1))

    def step(self, fed: Float[Tensor, "N F"], state: LstmState) -> LstmState:
        """The state after the next step."""
        known = next(self._known)
        hidden, cell = list(state.hidden.unbind(1)), list(state.cell.unbind(1))
        self._module.step(torch.cat([known, fed.to(known.dtype)], 1), hidden, cell)
        return LstmState(torch.stack(hidden, 1), torch.stack(cell, 1))


class FusedStepper:
    """Steps a `nn.LSTM`.

    gates_t = W_known known_t + W_fed fed_t + W_hidden hidden_{t-1} + b (Hochreiter & Schmidhuber 1997, with forget gates).
    The first product is one matrix product over all steps, and so is the gradient of the other two: a step computes only
    what depends on the step before it.
    """

    def __init__(self, module: nn.LSTM, known: Float[Tensor, "N T I"]) -> None:
        self._layers = module.num_layers
        self._dropout = module.dropout if module.training else 0.0
        width = known.shape[2]
        self._recurrent: list[_Recurrent] = []
        for layer in range(self._layers):
            inputs, hidden = getattr(module, f"weight_ih_l{layer}"), getattr(module, f"weight_hh_l{layer}")
            bias = getattr(module, f"bias_ih_l{layer}") + getattr(module, f"bias_hh_l{layer}")
            if layer == 0:
                prepared, inputs = linear(known, inputs[:, :width], bias), inputs[:, width:]
            else:
                prepared = bias.expand(known.shape[0], known.shape[1], -1)
            self._recurrent.append(_Recurrent(prepared, torch.cat([inputs, hidden], 1)))

    def step(self, fed: Float[Tensor, "N F"], state: LstmState) -> LstmState:
        """The state after the next step."""
        hidden, cell = list(state.hidden.unbind(1)), list(state.cell.unbind(1))
        below = fed
        for layer, recurrent in enumerate(self._recurrent):
            known, product = recurrent.gates(torch.cat([below.to(hidden[layer].dtype), hidden[layer]], 1))
            hidden[layer], cell[layer] = move_cell(known, product, cell[layer])
            below = nn.functional.dropout(hidden[layer], self._dropout) if self._dropout else hidden[layer]
        return LstmState(torch.stack(hidden, 1), torch.stack(cell, 1))


def move_cell(
    known: Float[Tensor, "N G"], product: Float[Tensor, "N G"], cell: Float[Tensor, "N H"]
) -> tuple[Float[Tensor, "N H"], Float[Tensor, "N H"]]:
    """The hidden state and the cell after a step whose gates are known + product, in the order of `nn.LSTM`.

    c' = σ(forget) c + σ(into) tanh(candidate); h' = σ(out) tanh(c'). On a GPU it is one kernel.
    """
    if cell.device.type == "cuda":
        hidden, cell, _ = torch.ops.aten._thnn_fused_lstm_cell(known.to(cell.dtype), product.to(cell.dtype), cell)
        return hidden, cell
    into, forget, candidate, out = (known + product).to(cell.dtype).chunk(4, 1)
    cell = forget.sigmoid() * cell + into.sigmoid() * candidate.tanh()
    return out.sigmoid() * cell.tanh(), cell


class _Recurrent:
    """gates_t = prepared_t + W x_t, step by step, with the gradient of W computed for all steps at once."""

    def __init__(self, prepared: Float[Tensor, "N T G"], weight: Float[Tensor, "G X"]) -> None:
        self._inputs: list[Tensor] = []
        # Matrix products take their operands in one type; casting once here, not at each step, is what autocast cannot know.
        dtype = compute_dtype(weight)
        weight = weight.to(dtype)
        if torch.is_grad_enabled():
            prepared = _DeferredWeightGradient.apply(prepared.to(dtype), weight, self._inputs)
        self._steps: Iterator[Tensor] = iter(prepared.to(dtype).unbind(1))
        self._weight = weight.detach()

    def gates(self, inputs: Float[Tensor, "N X"]) -> tuple[Float[Tensor, "N G"], Float[Tensor, "N G"]]:
        """Both summands of the next step's gates."""
        inputs = inputs.to(self._weight.dtype)
        if torch.is_grad_enabled():
            self._inputs.append(inputs.detach())
        return next(self._steps), linear(inputs, self._weight)


class _DeferredWeightGradient(Function):
    """Identity on `prepared`; its backward runs after every step's, when the gradient of W is one product over all steps.

    dL/dW = Σ_t (dL/dgates_t)ᵀ x_t, and dL/dgates_t is exactly the gradient that reaches prepared_t.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, prepared: Tensor, weight: Tensor, inputs: list[Tensor]) -> Tensor:
        ctx.inputs = inputs  # type: ignore[attr-defined]
        return prepared.view_as(prepared)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        inputs = torch.stack(ctx.inputs, 1)  # type: ignore[attr-defined]
        return gradient, gradient.flatten(0, 1).T @ inputs.flatten(0, 1), None
