"""From the config's training section to an optimizer and a schedule."""

from itertools import groupby
from typing import Any, assert_never

import torch
from torch import nn

from seq2attn.attention import LearnedEntmax
from seq2attn.config import training as ct
from seq2attn.training.schedule import Plateau, Schedule, constant, cosine, inverse_sqrt


def build_optimizer(section: ct.OptimizerConfig, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer. AdamW decays the matrices of products, not biases, norms and learned exponents."""
    match section:
        case ct.AdamWConfig():
            groups = _decay_groups(model, section.weight_decay)
            return torch.optim.AdamW(groups, section.learning_rate, section.betas, fused=True)
        case ct.AdamConfig():
            return torch.optim.Adam(model.parameters(), section.learning_rate, section.betas, fused=True)
        case ct.SGDConfig():
            return torch.optim.SGD(model.parameters(), section.learning_rate, section.momentum, fused=True)
        case _:
            assert_never(section)


def _decay_groups(model: nn.Module, rate: float) -> list[dict[str, Any]]:
    """The parameters in groups of one decay: that of a matrix is `rate`, that of a vector or a learned exponent 0.

    Tensors with two axes and more come first, those with fewer after them, each in the model's order: the optimizer's state in a
    checkpoint is numbered by it.
    """
    entmaxes = (module for module in model.modules() if isinstance(module, LearnedEntmax))
    exponents = {parameter for entmax in entmaxes for parameter in entmax.parameters()}
    ordered = sorted(model.parameters(), key=lambda parameter: parameter.dim() <= 1)
    runs = groupby(ordered, lambda parameter: rate if parameter.dim() > 1 and parameter not in exponents else 0.0)
    return [{"params": list(parameters), "weight_decay": decay} for decay, parameters in runs]


def build_schedule(training: ct.TrainingConfig) -> Schedule | Plateau:
    """The learning rate of every update."""
    section, peak = training.schedule, training.optimizer.learning_rate
    match section:
        case ct.InverseSqrtConfig():
            return Schedule(inverse_sqrt(peak, section.warmup))
        case ct.CosineConfig():
            return Schedule(cosine(peak, section.warmup, training.max_updates, section.final))
        case ct.PlateauConfig():
            return Plateau(
                peak, warmup=section.warmup, factor=section.factor, patience=section.patience, metric=section.metric
            )
        case ct.ConstantConfig():
            return Schedule(constant(peak, section.warmup))
        case _:
            assert_never(section)
