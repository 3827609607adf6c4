"""An exponential moving average of the weights, which is validated and exported in place of the last ones."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from jaxtyping import Bool
from torch import Tensor, nn


class MovingAverage:
    """average ← d_t · average + (1 − d_t) · weights after each update t that changed them (Polyak and Juditsky 1992).

    d_t = min(decay, (1 + t) / (10 + t)), so that the first weights, which know nothing, are soon forgotten. t is the number of
    the update, from 1, so that it is part of the position of training and of nothing else.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model = model
        self._decay = decay
        self._average = {name: weights.detach().clone() for name, weights in model.named_parameters()}

    @torch.no_grad()
    def update(self, number: int, changed: Bool[Tensor, ""]) -> None:
        """Move the average towards the weights after update `number`; not at all where it changed nothing."""
        decay = min(self._decay, (1 + number) / (10 + number))
        step = (1 - decay) * changed
        weights = [weights.detach() for weights in self._model.parameters()]
        average = list(self._average.values())
        difference = torch._foreach_sub(weights, average)
        torch._foreach_mul_(difference, step)
        torch._foreach_add_(average, difference)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """For so long, the model has the averaged weights."""
        trained = {name: weights.detach().clone() for name, weights in self._model.named_parameters()}
        self._put(self._average)
        try:
            yield
        finally:
            self._put(trained)

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights, on the CPU."""
        return {name: weights.cpu() for name, weights in self._average.items()}

    def restore(self, trained: Mapping[str, Tensor]) -> None:
        """Take the weights that the model has as the average, and give it those of training."""
        for name, weights in self._model.named_parameters():
            self._average[name].copy_(weights.detach())
        self._put(trained)

    @torch.no_grad()
    def _put(self, tensors: Mapping[str, Tensor]) -> None:
        for name, weights in self._model.named_parameters():
            weights.copy_(tensors[name])
