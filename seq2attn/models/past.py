"""What a decoder has written, as its self-attention needs it in search: kept once, appended to where it lies."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2attn.attention import Memory
from seq2attn.tensors import Branch

_STEPS_AHEAD = 8  # for how many more steps there is room at first


class Slots:
    """Keys and values of every step that any hypothesis of a sentence has taken, one layer's; N slots a sentence.

    Whoever holds the newest slots appends behind them, into room that is doubled when it is full, so that n steps copy O(n)
    numbers; appending to older slots, or where a gradient is wanted, copies them first. Either way this object stays as it is.
    """

    def __init__(self, keys: Float[Tensor, "B G R K"], values: Float[Tensor, "B G R V"], number: int) -> None:
        self._rooms = keys, values
        self.number = number
        self._filled = [number]  # shared by all who share the room

    @property
    def keys(self) -> Float[Tensor, "B G N K"]:
        """Those of all slots, in the order in which they were filled."""
        return self._rooms[0][:, :, : self.number]

    @property
    def values(self) -> Float[Tensor, "B G N V"]:
        """Those of all slots."""
        return self._rooms[1][:, :, : self.number]

    def append(self, keys: Float[Tensor, "B G W K"], values: Float[Tensor, "B G W V"]) -> "Slots":
        """These slots, and W more."""
        width, number = keys.shape[2], self.number
        longer = Slots(*self._rooms, number + width)
        is_newest = self._filled[0] == number and number + width <= self._rooms[0].shape[2]
        if is_newest and not torch.is_grad_enabled():
            longer._filled = self._filled
        else:
            room = max(2 * number, number + _STEPS_AHEAD * width)
            longer._rooms = _extend(self.keys, room), _extend(self.values, room)
        for rooms, new in zip(longer._rooms, (keys, values), strict=True):
            rooms[:, :, number : number + width] = new
        longer._filled[0] = number + width
        return longer

    def take(self, rows: Int[Tensor, " R"]) -> "Slots":
        """The slots of the sentences `rows`."""
        keys, values = (room.index_select(0, rows) for room in self._rooms)
        return Slots(keys, values, self.number)

    def gather(self, places: Int[Tensor, "B W T"]) -> Memory:
        """The keys and values of each hypothesis' own steps, as B·W sequences of T."""
        sentences = torch.arange(len(places), device=places.device)[:, None, None]
        keys, values = (part.transpose(1, 2)[sentences, places] for part in (self.keys, self.values))
        mask = torch.ones(places.shape, dtype=torch.bool, device=places.device).flatten(0, 1)
        return Memory(keys.flatten(0, 1).transpose(1, 2), values.flatten(0, 1).transpose(1, 2), mask)


def _extend(part: Float[Tensor, "B G N K"], room: int) -> Float[Tensor, "B G room K"]:
    longer = part.new_empty(*part.shape[:2], room, part.shape[3])
    longer[:, :, : part.shape[2]] = part
    return longer


class _Past(NamedTuple):
    places: Int[Tensor, "B W T"]
    layers: tuple[Slots, ...]


class Past(_Past, Branch):
    """The steps before, of W hypotheses of each sentence: the slots of every layer, and which of them are whose.

    places: the slot of each of a hypothesis' T steps: beam search reorders these numbers alone, and copies no keys.
    """

    __slots__ = ()

    def select(self, parents: Int[Tensor, "B W"]) -> "Past":
        """Hypothesis w has the past of hypothesis parents[b, w]."""
        steps = self.places.shape[2]
        return Past(self.places.gather(1, parents[:, :, None].expand(-1, -1, steps)), self.layers)

    def take(self, rows: Int[Tensor, " R"]) -> "Past":
        """The past of the sentences `rows`."""
        return Past(self.places.index_select(0, rows), tuple(slots.take(rows) for slots in self.layers))
