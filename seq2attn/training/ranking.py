"""Which of two validations is better, and whether validation told them apart at all."""

import math
from collections.abc import Mapping

METRIC_NAMES = {"loss": "loss", "bleu": "BLEU", "chrf": "chrF2"}  # of a metric in messages

Rank = tuple[float, float]
WORST: Rank = (-math.inf, -math.inf)


def rank(metric: str, metrics: Mapping[str, float]) -> Rank:
    """A key that is larger for the better validation: first by `metric`, and of equal ones the one of lower loss.

    A weak model often has a BLEU of exactly 0 while its loss falls.
    """
    value = -metrics[metric] if metric == "loss" else metrics[metric]
    return value, -metrics["loss"]


def sort_best_first(metric: str, history: Mapping[int, Mapping[str, float]]) -> list[int]:
    """The updates of `history`, which has their metrics, best first; of equal ones the newer first."""
    return sorted(history, key=lambda update: (rank(metric, history[update]), update), reverse=True)


def explain_standstill(metric: str, history: Mapping[int, Mapping[str, float]]) -> str | None:
    """What to say of a run whose `metric` was the same at every validation; None if it moved, or after a single one."""
    if len(history) < 2 or len({metrics[metric] for metrics in history.values()}) > 1:
        return None
    value = next(iter(history.values()))[metric]
    said = f"validation {METRIC_NAMES[metric]} was {value:.2f} all {len(history)} times"
    if metric == "loss":
        return f"{said}: training changed nothing; raise training.optimizer.learning_rate"
    said += ", so the lowest loss chose the checkpoint"
    if metric != "bleu":
        return said
    if len({metrics["chrf"] for metrics in history.values()}) > 1:
        return (
            f"{said}; BLEU counts runs of four words, so for short targets, or a model that is still weak, choose by chrF2: "
            "--set training.select=chrf (and training.early_stopping.metric=chrf)"
        )
    return f"{said}; chrF2 did not move either: look at the loss in metrics.jsonl, and train longer if it still falls"
