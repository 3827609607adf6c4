"""From the config's training section to an optimizer and a schedule."""

from collections.abc import Iterator
from typing import assert_never

import torch
from torch import nn

from seq2attn.config import training as ct
from seq2attn.training.schedule import Plateau, Schedule, constant, cosine, inverse_sqrt


def build_optimizer(section: ct.OptimizerConfig, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer; weight decay acts on matrices, not on biases and norms."""
    match section:
        case ct.AdamWConfig():
            groups = [
                {"params": list(_parameters(model, matrices=True)), "weight_decay": section.weight_decay},
                {"params": list(_parameters(model, matrices=False)), "weight_decay": 0.0},
            ]
            return torch.optim.AdamW(groups, section.learning_rate, section.betas, fused=True)
        case ct.AdamConfig():
            return torch.optim.Adam(model.parameters(), section.learning_rate, section.betas, fused=True)
        case ct.SGDConfig():
            return torch.optim.SGD(model.parameters(), section.learning_rate, section.momentum, fused=True)
        case _:
            assert_never(section)


def _parameters(model: nn.Module, *, matrices: bool) -> Iterator[nn.Parameter]:
    return (parameter for parameter in model.parameters() if (parameter.dim() > 1) == matrices)


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
