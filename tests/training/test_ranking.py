"""Which validation is the better one."""

import pytest

from seq2attn.training.ranking import WORST, explain_standstill, rank


@pytest.mark.parametrize(
    ("metric", "better", "worse"),
    [
        ("loss", {"loss": 1.0, "bleu": 30.0}, {"loss": 2.0, "bleu": 40.0}),
        ("bleu", {"loss": 2.0, "bleu": 40.0}, {"loss": 1.0, "bleu": 30.0}),
        ("bleu", {"loss": 4.06, "bleu": 0.0}, {"loss": 5.38, "bleu": 0.0}),
        ("chrf", {"loss": 1.0, "chrf": 8.0}, {"loss": 1.5, "chrf": 8.0}),
    ],
)
def test_more_of_the_metric_wins_then_less_loss(metric: str, better: dict[str, float], worse: dict[str, float]) -> None:
    assert rank(metric, better) > rank(metric, worse) > WORST


def test_one_validation_is_no_standstill() -> None:
    assert explain_standstill("bleu", {10: {"bleu": 0.0, "loss": 4.0, "chrf": 1.0}}) is None
