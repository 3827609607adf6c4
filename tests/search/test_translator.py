"""From lines to lines: the order, one for one, and the same in any batch."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from seq2attn.build.model import build_seq2seq
from seq2attn.data.files import is_blank
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.errors import DataError
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search import Beam, Engine, Greedy, Hypothesis, OutputLimit, Sampling, Search, Sentences, Translator
from seq2attn.search.engine import Batch, Found, Translation
from seq2attn.tokens import EOS
from tests.tiny import sentences as draw_lines
from tests.tiny import tiny, translation, write_corpus

INVISIBLE = ["\u200b", "\u00ad \u200e", "\ufeff"]
LINES = ["ka mi", "", "lo tu se po ra ni do ve", "  ", "fa", "gu ka lo mi", "\t", "ve ve ve do", *INVISIBLE]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    source = draw_lines(120, 0)
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
    found = build_seq2seq(config.model, source_size=40, target_size=40, max_length=250).double()
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.4)
    return found.eval()


@pytest.mark.parametrize("lines", [LINES, ["ka mi lo tu se po. " * 9], [""], []])
def test_progress_adds_up_to_the_lines(model: Seq2Seq, tokenizer: Tokenizer, lines: list[str]) -> None:
    done: list[float] = []
    translator = Translator(
        Engine(model, tokenizer), Echo(), batch_tokens=20, window=4, longest=9, progress=done.append
    )
    assert len(list(translator.translate(lines))) == len(lines)
    assert sum(done) == pytest.approx(len(lines))
    assert all(more > 0 for more in done)


@pytest.mark.parametrize(
    ("search", "lines", "batches"),
    [(Greedy(), 40, 1), (Greedy(), 1200, 8), (Beam(2), 1200, 20), (Sampling(), 4000, 20)],
)
def test_greedy_search_takes_larger_batches_of_many_lines(
    model: Seq2Seq, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, search: Search, lines: int, batches: int
) -> None:
    engine, found = Engine(model, tokenizer), []

    def note(search: Search, limit: OutputLimit, asked: Sequence[Batch]) -> Iterator[list[Found]]:
        found.append(len(asked))
        return iter([[Found([Translation("", 0.0)], False) for _ in batch.ids] for batch in asked])

    monkeypatch.setattr(engine, "search", note)
    sources = [[[5] * 9 + [EOS]]] * lines  # of ten subwords each
    list(Translator(engine, search, window=4000).translate_encoded(sources))
    assert found == [batches]


def test_the_parts_of_a_long_line_have_a_length_of_their_own(model: Seq2Seq, tokenizer: Tokenizer) -> None:
    search = Echo()
    translator = Translator(Engine(model, tokenizer), search, batch_tokens=1, longest=40, longest_part=9)
    list(translator.translate(["ka mi lo tu se po " * 2, "ka mi lo tu se po " * 20]))
    *parts, whole = sorted((subwords for _, subwords in search.shapes))
    assert max(parts) <= 9 < whole <= 40
    assert translator.overlong == 1


class Echo:
    """Copies the source; notes its batches and limits."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.limits: dict[int, int] = {}

    def __call__(self, model: Seq2Seq, sentences: Sentences, banned: Tensor) -> list[list[Hypothesis]]:
        self.shapes.append(tuple(sentences.source.shape))
        self.limits |= dict(zip(sentences.ids, sentences.limits.tolist(), strict=True))
        return [[Hypothesis([t for t in row if t > 3], 0.5)] for row in sentences.source.tolist()]


def texts(model: Seq2Seq, tokenizer: Tokenizer, search: Search, lines: Sequence[str], **settings: int) -> list[str]:
    return [best[0].text for best in Translator(Engine(model, tokenizer), search, **settings).translate(lines)]


@pytest.mark.parametrize("settings", [{}, {"batch_tokens": 1}, {"batch_tokens": 20}, {"window": 1}, {"window": 3}])
def test_one_line_comes_out_for_each_line_in_its_order(
    model: Seq2Seq, tokenizer: Tokenizer, settings: dict[str, int]
) -> None:
    assert texts(model, tokenizer, Echo(), LINES, **settings) == [
        "" if line in INVISIBLE else " ".join(line.split()) for line in LINES
    ]


def test_a_batch_is_bounded_and_the_longest_come_first(model: Seq2Seq, tokenizer: Tokenizer) -> None:
    lines, echo = draw_lines(50, 9), Echo()
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


def test_the_limit_of_a_translation_grows_with_its_line(model: Seq2Seq, tokenizer: Tokenizer) -> None:
    lengths = {
        number: len(ids) for number, ids in enumerate(tokenizer.encode_source(LINES)) if not is_blank(LINES[number])
    }
    for settings, ratio, extra in (({}, 2, 10), ({"limit": OutputLimit(3.0, 4)}, 3, 4)):
        echo = Echo()
        list(Translator(Engine(model, tokenizer), echo, window=3, **settings).translate(LINES))  # type: ignore[arg-type]
        assert echo.limits == {number: ratio * n + extra for number, n in lengths.items()}  # over all windows


@pytest.mark.parametrize("search", [Greedy(), Beam(3), Sampling()], ids=["greedy", "beam", "sampling"])
def test_lines_whose_best_translation_is_cut_are_counted(model: Seq2Seq, tokenizer: Tokenizer, search: Search) -> None:
    bias = model.bias.detach().clone()
    try:
        for eos, cut in ((-1e9, 3), (1e9, 0)):  # it never ends, it ends at once
            with torch.no_grad():
                model.bias[EOS] = eos
            translator = Translator(Engine(model, tokenizer), search, limit=OutputLimit.fixed(3), longest=6)
            list(translator.translate(["ka mi", "", LONG, "lo"]))
            assert translator.cut == cut  # the parts of the long line count once
    finally:
        with torch.no_grad():
            model.bias.copy_(bias)


def test_a_translation_ends_where_the_learned_positions_do(tokenizer: Tokenizer, tmp_path: Path) -> None:
    decoder = "model.decoder={type: transformer, layers: 1, feedforward: 8, positions: learned}"
    config = tiny(write_corpus(tmp_path), decoder)
    model = build_seq2seq(config.model, source_size=40, target_size=40, max_length=7).double().eval()
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

    translations = Translator(Engine(model, tokenizer), Echo(), window=2).translate(lines())
    next(translations)
    assert len(read) == 2


@pytest.mark.parametrize("search", [Greedy(), Beam(3, 1.0), Sampling(seed=4)], ids=["greedy", "beam", "sampling"])
def test_a_line_translates_the_same_in_any_batch(model: Seq2Seq, tokenizer: Tokenizer, search: Search) -> None:
    lines = draw_lines(12, 5)
    together = texts(model, tokenizer, search, lines)
    assert len(set(together)) > 3
    assert texts(model, tokenizer, search, lines, batch_tokens=1) == together
    assert texts(model, tokenizer, search, lines, window=5) == together


def test_the_n_best_come_best_first_and_differ(model: Seq2Seq, tokenizer: Tokenizer) -> None:
    for line, hypotheses in zip(
        LINES, Translator(Engine(model, tokenizer), Beam(4, 1.0)).translate(LINES), strict=True
    ):
        if is_blank(line):
            assert hypotheses == [("", 0.0)]
            continue
        scores = [hypothesis.score for hypothesis in hypotheses]
        assert len(hypotheses) == 4
        assert scores == sorted(scores, reverse=True)
        assert scores[0] > scores[-1]


def test_a_model_in_training_translates_without_dropout(
    model: Seq2Seq, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = texts(model, tokenizer, Greedy(), LINES)
    model.train()
    monkeypatch.setattr(model.decoder.dropout, "rate", 0.5)  # type: ignore[union-attr,attr-defined]
    try:
        assert texts(model, tokenizer, Greedy(), LINES) == expected
    finally:
        model.eval()


def test_what_ends_a_line_elsewhere_does_not_end_one_here(model: Seq2Seq, tokenizer: Tokenizer, tmp_path: Path) -> None:
    odd = "ka\u2028mi\x85lo\x0b\x0ctu\rse"
    [found] = texts(model, tokenizer, Beam(2), [odd])
    assert len(found.splitlines()) <= 1


LONG = "ka mi ra tu. ni po ra. ve fa gu ka"


def long(
    model: Seq2Seq, tokenizer: Tokenizer, search: Search, lines: Sequence[str], **settings: object
) -> list[object]:
    translator = Translator(Engine(model, tokenizer), search, longest=6, **settings)  # type: ignore[arg-type]
    return [*translator.translate(lines), translator.overlong]


def test_a_long_line_is_split_into_sentences_and_joined_again(model: Seq2Seq, tokenizer: Tokenizer) -> None:
    parts = ["ka mi ra tu.", "ni po ra.", "ve fa gu ka"]
    for search in (Greedy(), Beam(3)):
        one, other, short, count = long(model, tokenizer, search, ["ka", LONG, "mi"])
        whole = Translator(Engine(model, tokenizer), search).translate(parts)
        ranked = list(zip(*whole, strict=True))
        assert count == 1
        assert [text for text, _ in other] == [" ".join(h.text for h in row) for row in ranked]
        assert [score for _, score in other] == pytest.approx([sum(h.score for h in row) for row in ranked])
        assert [one[0].text, short[0].text] == texts(model, tokenizer, search, ["ka", "mi"])
    unspaced = long(model, tokenizer, Greedy(), [LONG], space="")[0]
    assert unspaced[0].text == "".join(
        best[0].text for best in Translator(Engine(model, tokenizer), Greedy()).translate(parts)
    )


def test_a_long_line_is_truncated_or_an_error_if_wanted(model: Seq2Seq, tokenizer: Tokenizer) -> None:
    echo = Echo()
    found = long(model, tokenizer, echo, ["ka", LONG.replace(".", "")], on_long="truncate")
    assert [hypotheses[0].text for hypotheses in found[:2]] == ["ka", "ka mi ra tu ni"]
    assert found[2] == 1
    windows = Translator(Engine(model, tokenizer), echo, longest=6, on_long="error").translate_windows(
        [["ka", "mi", LONG, "lo"]]
    )
    assert [best[0].text for best in next(windows)] == ["ka", "mi"]
    with pytest.raises(DataError, match="line 3: 14 subwords, more than 6"):
        next(windows)


def test_parts_of_a_long_line_draw_different_samples(model: Seq2Seq, tokenizer: Tokenizer) -> None:
    search = Sampling(temperature=2.0)
    twice, single, _ = long(model, tokenizer, search, ["ka mi ra tu. ka mi ra tu.", "ka mi ra tu."])
    assert twice[0].text != f"{single[0].text} {single[0].text}"
    halves = twice[0].text.split()
    assert halves[: len(halves) // 2] != halves[len(halves) // 2 :]
    alone, together = (long(model, tokenizer, search, [LONG] * 2, batch_tokens=tokens)[:2] for tokens in (1, 4000))
    assert [hypotheses[0].text for hypotheses in alone] == [hypotheses[0].text for hypotheses in together]
    assert alone[0][0].text != alone[1][0].text


def test_a_window_is_translated_before_the_next_one_is_read(model: Seq2Seq, tokenizer: Tokenizer) -> None:
    def windows() -> Iterator[list[str]]:
        yield ["ka", ""]
        raise DataError("the end")

    found = Translator(Engine(model, tokenizer), Echo()).translate_windows(windows())
    assert [best[0].text for best in next(found)] == ["ka", ""]
    with pytest.raises(DataError, match="the end"):
        next(found)


@pytest.mark.parametrize("search", [Greedy(), Beam(3), Sampling(), Sampling(top_k=2)], ids=str)
@pytest.mark.parametrize("tokens", [slice(None), slice(7, 8)], ids=["all", "one"])
def test_scores_that_are_not_numbers_are_refused(
    model: Seq2Seq, tokenizer: Tokenizer, search: Search, tokens: slice
) -> None:
    bias = model.bias.detach().clone()
    try:
        with torch.no_grad():
            model.bias[tokens] = float("nan")
        with pytest.raises(DataError, match="not numbers"):
            texts(model, tokenizer, search, ["ka", "mi lo"])
    finally:
        with torch.no_grad():
            model.bias.copy_(bias)
