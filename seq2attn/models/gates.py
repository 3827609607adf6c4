"""Gates on an encoder's states: which features of a sentence, and which positions, to let through."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import relu

from seq2attn.models.projection import make_projection
from seq2attn.models.seq2seq import Encoded, Encoder
from seq2attn.tensors import mean


class ChannelGate(nn.Module):
    """y_s = g ⊙ x_s, g = σ(W_2 relu(W_1 z + b_1) + b_2), z = mean of the real x_s (Hu et al. 2018, eqs. 2–4).

    The hidden layer has width / `reduction` units. A reduction that does not divide the width raises ValueError.
    """

    def __init__(self, width: int, reduction: int) -> None:
        super().__init__()
        if width % reduction:
            raise ValueError(f"a reduction of {reduction} does not divide the width {width}")
        self.reduce = make_projection(width, width // reduction)
        self.restore = make_projection(width // reduction, width)

    def forward(self, states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"]) -> Float[Tensor, "B S D"]:
        """One gate for each feature of each sentence."""
        gate = self.restore(relu(self.reduce(mean(states, mask)))).sigmoid()
        return gate[:, None] * states


class SpatialGate(nn.Module):
    """y_s = γ_s · x_s, γ = σ(conv([mean_d x; max_d x])) (Woo et al. 2018, §3, in one dimension).

    Both maps are zero at padding, as beyond the end of a sentence. An even `kernel` raises ValueError.
    """

    def __init__(self, kernel: int = 7) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"a convolution that keeps the length needs an odd kernel, not {kernel}")
        self.convolution = nn.Conv1d(2, 1, kernel, padding=kernel // 2)
        nn.init.xavier_uniform_(self.convolution.weight)
        nn.init.zeros_(self.convolution.bias)  # type: ignore[arg-type]

    def forward(self, states: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"]) -> Float[Tensor, "B S D"]:
        """One gate for each position."""
        maps = torch.stack([states.mean(2), states.amax(2)], 1).masked_fill(~mask[:, None], 0)
        gate = self.convolution(maps).sigmoid()
        return gate.transpose(1, 2) * states


class Gated(nn.Module):
    """An encoder whose states, and values if it has any, pass through `gates` in their order; `final` stays as it is.

    A gate is called with states "B S D" and their mask "B S", and keeps the shape. Woo et al. 2018 (§3) put the channel gate
    before the spatial one. Gates look at the whole sentence, so they do not belong into a decoder.
    """

    def __init__(self, encoder: Encoder, gates: Sequence[nn.Module]) -> None:
        super().__init__()
        self.encoder = encoder
        self.gates = nn.ModuleList(gates)
        self.width, self.final_width = encoder.width, encoder.final_width

    def forward(self, source: Int[Tensor, "B S"]) -> Encoded:
        """Encode padded sentences."""
        states, mask, final, values = self.encoder(source)
        for gate in self.gates:
            states = gate(states, mask)
            values = None if values is None else gate(values, mask)
        return Encoded(states, mask, final, values)
