"""How many n-grams of a test set training never contains."""

from seq2attn.evaluation.novelty import Novelty, measure_novelty


def test_ngrams_are_counted_distinct_and_repeated() -> None:
    counted = measure_novelty(["a b c d e"], ["a b c d", "b c d x", "b c d x y", "a b"])
    assert counted == Novelty(order=4, distinct=3, distinct_unseen=2, tokens=4, tokens_unseen=3)
