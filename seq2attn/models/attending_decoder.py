"""What the recurrent decoders with attention have in common."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor, nn

from seq2attn.attention import AttentionModule
from seq2attn.models.embedding import Embedding
from seq2attn.models.lstm import Bridge, LstmState
from seq2attn.models.seq2seq import Encoded
from seq2attn.tensors import Tree


class AttendingState(NamedTuple):
    """What such a decoder carries from step to step.

    position: the next target step, from 0. history: what the attention has to know of earlier steps.
    """

    lstm: LstmState
    position: Int[Tensor, "*N"]
    history: Tree


class AttendingDecoder(nn.Module):
    """Its memory is the attention's, and `bridge`, which a subclass makes, gives its first state."""

    bridge: Bridge

    def __init__(self, embedding: Embedding, attention: AttentionModule) -> None:
        super().__init__()
        self.embedding = embedding
        self.attention = attention

    @property
    def longest(self) -> int | None:
        """The most tokens that it can write; None: any number."""
        return self.embedding.longest

    def remember(self, encoded: Encoded) -> Any:
        """The attention's keys and values."""
        return self.attention.remember(encoded.states, encoded.mask, encoded.values)

    def start(self, encoded: Encoded, width: int) -> Any:
        """The bridge's state, once for each hypothesis; leaves "B W …"."""
        position = torch.zeros(len(encoded.mask), width, dtype=torch.long, device=encoded.mask.device)
        history = self.attention.start(encoded.mask, width)
        return AttendingState(self.bridge.start_hypotheses(encoded.final, width), position, history)
