"""Linear maps with the initialization that every model here uses."""

from torch import nn


def make_projection(width: int, output: int) -> nn.Linear:
    """A Xavier-uniform linear map with zero bias."""
    layer = nn.Linear(width, output)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
