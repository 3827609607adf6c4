"""LSTM layers whose gates and cells are normalized: no fused call has them, so they always step."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2attn.models.dropout import Dropout


class NormCell(nn.Module):
    """gates = LN(W_x x) + LN(W_h h) + b; c' = σ(forget) c + σ(into) tanh(candidate); h' = σ(out) tanh(LN(c')).

    Ba et al. 2016, appendix, eq. 20–22. Gates in the order of `nn.LSTM`; Xavier-uniform maps, forget bias 1.
    """

    def __init__(self, input_width: int, width: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(input_width, 4 * width, bias=False)
        self.hidden = nn.Linear(width, 4 * width, bias=False)
        self.norm_inputs = nn.LayerNorm(4 * width)  # its bias is b
        self.norm_hidden = nn.LayerNorm(4 * width, bias=False)
        self.norm_cell = nn.LayerNorm(width)
        for linear in (self.inputs, self.hidden):
            nn.init.xavier_uniform_(linear.weight)
        self.norm_inputs.bias.data.chunk(4)[1].fill_(1.0)

    def read(self, inputs: Float[Tensor, "*N I"]) -> Float[Tensor, "*N G"]:
        """What the gates have of the input: of one step, or of all at once."""
        gates: Tensor = self.norm_inputs(self.inputs(inputs).to(self.norm_inputs.weight.dtype))
        return gates

    def forward(
        self, read: Float[Tensor, "N G"], hidden: Float[Tensor, "N H"], cell: Float[Tensor, "N H"]
    ) -> tuple[Float[Tensor, "N H"], Float[Tensor, "N H"]]:
        """The hidden state and the cell after a step that has `read` its input."""
        gates = read + self.norm_hidden(self.hidden(hidden).to(read.dtype))
        into, forget, candidate, out = gates.to(cell.dtype).chunk(4, 1)
        cell = forget.sigmoid() * cell + into.sigmoid() * candidate.tanh()
        return out.sigmoid() * self.norm_cell(cell).tanh(), cell


class NormLstm(nn.Module):
    """Layers of `NormCell`, called as a batch-first `nn.LSTM` is."""

    def __init__(self, input_size: int, width: int, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.input_size = input_size
        self.width = width
        self.cells = nn.ModuleList(NormCell(width if layer else input_size, width) for layer in range(layers))
        self.dropout = Dropout(dropout)

    def forward(self, inputs: Float[Tensor, "N T I"], initial: Any = None) -> Any:
        """All T steps: outputs "N T H", and the last hidden states and cells, "L N H" each."""
        if initial is None:
            zeros = next(self.parameters()).new_zeros(len(self.cells), len(inputs), self.width)
            initial = zeros, zeros
        below, ends = inputs, []
        for layer, (cell, h, c) in enumerate(zip(self.cells, *initial, strict=True)):
            outputs = []
            for read in cell.read(self.dropout(below) if layer else below).unbind(1):
                h, c = cell(read, h, c)
                outputs.append(h)
            below = torch.stack(outputs, 1)
            ends.append((h, c))
        hidden, cells = zip(*ends, strict=True)
        return below, (torch.stack(hidden), torch.stack(cells))

    def step(self, inputs: Float[Tensor, "N I"], hidden: list[Tensor], cell: list[Tensor]) -> None:
        """Move the layers' states, in place of the lists, by one step."""
        below = inputs
        for layer, module in enumerate(self.cells):
            read = module.read(self.dropout(below) if layer else below)  # type: ignore[operator]
            hidden[layer], cell[layer] = module(read, hidden[layer], cell[layer])
            below = hidden[layer]
