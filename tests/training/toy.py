"""A small fp64 model, two batches, and a trainer of them."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch

from seq2attn.data.batches import Batch
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.training.checkpoint import CallbackStates, CheckpointState, PositionState
from seq2attn.training.schedule import Plateau, Schedule, constant
from seq2attn.training.trainer import Trainer
from tests.laws.systems import sentences, system

SOURCE, TARGET = sentences([4, 6, 3, 5]), sentences([5, 3, 6, 2])


def batch(*rows: int) -> Batch:
    """These rows of SOURCE and TARGET."""
    return Batch(SOURCE[list(rows)], TARGET[list(rows)], np.array(rows))


def trainer(
    batches: Sequence[Batch],
    *,
    model: Seq2Seq | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    schedule: Schedule | Plateau | None = None,
    **settings: Any,
) -> Trainer:
    """A trainer whose epochs all have these batches; plain gradient descent if nothing else is said."""
    model = model or system("luong")
    return Trainer(
        model,
        optimizer or torch.optim.SGD(model.parameters(), 0.1),
        schedule or Schedule(constant(0.1, 0)),
        lambda number: batches,
        **{
            "max_updates": 4,
            "accumulation": 1,
            "clip_norm": math.inf,
            "label_smoothing": 0.1,
            "autocast": nullcontext,
            **settings,
        },
    )


def make_state(update: int, seconds: float = 0.0) -> CheckpointState:
    """The state of a run after an update."""
    position = PositionState(update=update, epoch=0, batch=update, skipped=0, skipped_in_a_row=0)
    return CheckpointState(
        position=position, seconds=seconds, tokens=9, schedule={}, callbacks=CallbackStates(), metrics_bytes=0
    )
