"""From lines to lines: the order, one for one, and the same in any batch."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seq2attn.data.tokenizer import EOS, Tokenizer
from seq2attn.experiment import build
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search import Beam, Greedy, Hypothesis, Sampling, Search, Translator
from tests.runs import sentences, tiny, translation, write_corpus

LINES = ["ka mi", "", "lo tu se po ra ni do ve", "  ", "fa", "gu ka lo mi", "\t", "ve ve ve do"]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    source = sentences(120, 0)
    return Tokenizer.train(
        source,
        [translation(line) for line in source],
        vocab_size=40,
        algorithm="unigram",
        joint=True,
        byte_fallback=False,
        character_coverage=1.0,
        folder=tmp_path_factory.mktemp("tokenizer"),
    )


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Seq2Seq:
    torch.manual_seed(3)
    config = tiny(write_corpus(tmp_path_factory.mktemp("corpus")))
    found = build.seq2seq(config.model, source_size=40, target_size=40, max_length=250).double()
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.4)
    return found.eval()


class Echo:
    """Copies the source; notes its batches and limits."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.limits: dict[int, int] = {}

    def __call__(self, model: Seq2Seq, source: Tensor, limits: Tensor, lines: Sequence[int]) -> list[list[Hypothesis]]:
        self.shapes.append(tuple(source.shape))
        self.limits |= dict(zip(lines, limits.tolist(), strict=True))
        return [[Hypothesis([t for t in row if t > 3], 0.5)] for row in source.tolist()]


def texts(model: Seq2Seq, tokenizer: Tokenizer, search: Search, lines: Sequence[str], **settings: int) -> list[str]:
    return [best[0].text for best in Translator(model, tokenizer, search, **settings).translate(lines)]


@pytest.mark.parametrize("settings", [{}, {"batch_tokens": 1}, {"batch_tokens": 20}, {"window": 1}, {"window": 3}])
def test_one_line_comes_out_for_each_line_in_its_order(
    model: Seq2Seq, tokenizer: Tokenizer, settings: dict[str, int]
) -> None:
    assert texts(model, tokenizer, Echo(), LINES, **settings) == [" ".join(line.split()) for line in LINES]


def test_a_batch_holds_at_most_so_many_padded_subwords_the_longest_first(model: Seq2Seq, tokenizer: Tokenizer) -> None:
    lines, echo = sentences(50, 9), Echo()
    texts(model, tokenizer, echo, lines, batch_tokens=30)
    assert sum(rows for rows, _ in echo.shapes) == 50
    assert max(rows * width for rows, width in echo.shapes) <= 30
    widths = [width for _, width in echo.shapes]
    assert widths == sorted(widths, reverse=True)
    assert len(echo.shapes) < 40


def test_a_line_longer_than_a_batch_is_translated_alone(model: Seq2Seq, tokenizer: Tokenizer) -> None:
    echo = Echo()
    assert texts(model, tokenizer, echo, ["ka " * 30, "mi"], batch_tokens=5)[0].split() == ["ka"] * 30
    assert echo.shapes[0][0] == 1


def test_a_translation_may_have_twice_the_subwords_and_ten(model: Seq2Seq, tokenizer: Tokenizer) -> None:
    echo = Echo()
    texts(model, tokenizer, echo, LINES, window=3)
    encoded = tokenizer.encode_source(LINES)
    real = [number for number, line in enumerate(LINES) if line.strip()]
    assert echo.limits == {number: 2 * len(encoded[number]) + 10 for number in real}  # numbered over all windows


def test_a_translation_ends_where_the_learned_positions_do(tokenizer: Tokenizer, tmp_path: Path) -> None:
    decoder = "model.decoder={type: transformer, layers: 1, feedforward: 8, positions: learned}"
    config = tiny(write_corpus(tmp_path), decoder)
    model = build.seq2seq(config.model, source_size=40, target_size=40, max_length=7).double().eval()
    with torch.no_grad():
        model.bias[EOS] = -1e9  # it would never end
    assert model.longest_target == 7
    for search in (Greedy(), Beam(3)):
        echo = Echo()
        texts(model, tokenizer, echo, LINES)
        assert max(echo.limits.values()) == 7
        assert all(texts(model, tokenizer, search, ["ka mi lo tu se po ra ni do ve"]))


def test_results_come_before_the_next_window_is_read(model: Seq2Seq, tokenizer: Tokenizer) -> None:
    read = []

    def lines() -> Iterator[str]:
        for line in LINES:
            read.append(line)
            yield line

    translations = Translator(model, tokenizer, Echo(), window=2).translate(lines())
    next(translations)
    assert len(read) == 2


@pytest.mark.parametrize("search", [Greedy(), Beam(3, 1.0), Sampling(seed=4)], ids=["greedy", "beam", "sampling"])
def test_a_line_translates_the_same_in_any_batch(model: Seq2Seq, tokenizer: Tokenizer, search: Search) -> None:
    lines = sentences(12, 5)
    together = texts(model, tokenizer, search, lines)
    assert len(set(together)) > 3
    assert texts(model, tokenizer, search, lines, batch_tokens=1) == together
    assert texts(model, tokenizer, search, lines, window=5) == together


def test_the_n_best_come_best_first_and_differ(model: Seq2Seq, tokenizer: Tokenizer) -> None:
    for line, hypotheses in zip(LINES, Translator(model, tokenizer, Beam(4, 1.0)).translate(LINES), strict=True):
        if not line.strip():
            assert hypotheses == [("", 0.0)]
            continue
        scores = [hypothesis.score for hypothesis in hypotheses]
        assert len(hypotheses) == 4
        assert scores == sorted(scores, reverse=True)
        assert scores[0] > scores[-1]


def test_a_model_in_training_translates_without_dropout_and_goes_on_training(
    model: Seq2Seq, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = texts(model, tokenizer, Greedy(), LINES)
    model.train()
    monkeypatch.setattr(model.decoder.dropout, "_dropped", 1 << 15)  # type: ignore[union-attr,attr-defined]
    try:
        assert texts(model, tokenizer, Greedy(), LINES) == expected
        assert model.training
    finally:
        model.eval()


def test_what_ends_a_line_elsewhere_does_not_end_one_here(model: Seq2Seq, tokenizer: Tokenizer, tmp_path: Path) -> None:
    odd = "ka\u2028mi\x85lo\x0b\x0ctu\rse"
    [found] = texts(model, tokenizer, Beam(2), [odd])
    assert len(found.splitlines()) <= 1
