"""A model made ready to translate in bf16: its weights are converted, and laid out as products read them, once."""

import copy
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear, pad

from seq2attn.models.seq2seq import Seq2Seq

# Rows are padded to a multiple of it: oneDNN makes a kernel for each number of rows, which takes milliseconds.
ROW_STEP = 16


class PackedSeq2Seq(Seq2Seq):
    """What `model` computes, with the products of its linear layers and of its LSTMs' steps in bf16, logits among them.

    It shares the model's parameters, and holds a bf16 copy of those that it multiplies with: it is for a model whose weights
    stay as they are meanwhile.
    """

    def __init__(self, model: Seq2Seq) -> None:
        nn.Module.__init__(self)
        shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
        self.encoder, self.decoder = copy.deepcopy((model.encoder, model.decoder), shared)
        self.output, self.bias = model.output, model.bias
        self._projection = PackedLinear(model.output, model.bias)
        _pack_below(self)
        self.train(model.training)

    def project(self, features: Float[Tensor, "*N D"]) -> Float[Tensor, "*N V"]:
        """Scores of every target token."""
        return self._projection(features)


class PackedLinear(nn.Linear):
    """y = x Wᵀ + b in bf16, with `relu` max(0, y). On a CPU with oneDNN, W is laid out for its products once, not at each."""

    def __init__(self, weight: Float[Tensor, "O I"], bias: Float[Tensor, " O"] | None, *, relu: bool = False) -> None:
        nn.Module.__init__(self)
        self._relu = relu
        self.out_features, self.in_features = weight.shape
        self.weight = weight
        self.bias = bias  # type: ignore[assignment]
        self._operands = weight.detach().bfloat16(), None if bias is None else bias.detach().bfloat16()
        self._packed: Any = None
        if weight.device.type == "cpu" and torch.backends.mkldnn.is_available():
            self._packed = torch.ops.mkldnn._reorder_linear_weight(self._operands[0].contiguous())

    def forward(self, inputs: Float[Tensor, "*N I"]) -> Float[Tensor, "*N O"]:
        """The product, in bf16."""
        inputs = inputs.bfloat16()
        weight, bias = self._operands
        if self._packed is None:
            outputs = linear(inputs, weight, bias)
            return outputs.relu_() if self._relu else outputs
        after, shape = "relu" if self._relu else "none", inputs.shape[:-1]
        rows = inputs.reshape(-1, self.in_features)
        number = len(rows)
        if number % ROW_STEP:
            rows = pad(rows, (0, 0, 0, -number % ROW_STEP))
        outputs = torch.ops.mkldnn._linear_pointwise(rows, self._packed, bias, after, [], "")
        return outputs[:number].view(*shape, self.out_features)


class PackedLstm(nn.LSTM):
    """An LSTM whose single steps are one product a layer: gates = [x; h] [W_x; W_h]ᵀ + b. Longer sequences run as before."""

    def __init__(self, lstm: nn.LSTM) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(lstm.__dict__)
        self._steps = []
        if not self.bidirectional:
            for layer in range(self.num_layers):
                matrices = [getattr(lstm, f"weight_{kind}_l{layer}").detach() for kind in ("ih", "hh")]
                biases = [getattr(lstm, f"bias_{kind}_l{layer}").detach() for kind in ("ih", "hh")]
                self._steps.append(PackedLinear(torch.cat(matrices, 1), biases[0] + biases[1]))

    def forward(self, inputs: Tensor, initial: Any = None) -> Any:  # type: ignore[override]
        """As `nn.LSTM`, batch first."""
        if inputs.shape[1] != 1 or not self._steps:
            return super().forward(inputs, initial)
        below, hidden, cell = inputs[:, 0], [], []
        for step, h, c in zip(self._steps, *initial, strict=True):
            gates = step(torch.cat([below.to(h.dtype), h], 1)).to(c.dtype)
            into, forget, candidate, out = gates.chunk(4, 1)
            cell.append(forget.sigmoid() * c + into.sigmoid() * candidate.tanh())
            below = out.sigmoid() * cell[-1].tanh()
            hidden.append(below)
        return below[:, None], (torch.stack(hidden), torch.stack(cell))


def _pack_below(module: nn.Module) -> None:
    for name, child in module.named_children():
        if type(child) is nn.Linear:
            setattr(module, name, PackedLinear(child.weight, child.bias))
        elif type(child) is nn.LSTM:
            setattr(module, name, PackedLstm(child))
        else:
            _pack_below(child)
    if isinstance(module, nn.Sequential):
        for place, (layer, after) in enumerate(pairwise(module)):
            if isinstance(layer, PackedLinear) and isinstance(after, nn.ReLU):
                module[place] = PackedLinear(layer.weight, layer.bias, relu=True)
                module[place + 1] = nn.Identity()
