"""What a model looks at, word by word, and how it is shown."""

import re
from pathlib import Path

import numpy as np
import pytest

from seq2attn.errors import DataError
from seq2attn.inference.attend import END, Attended
from seq2attn.inference.attention_page import render_fragment, render_page
from seq2attn.inference.model import Model, load
from seq2attn.inference.words import WordPair
from seq2attn.models.maps import trace_maps
from seq2attn.runs.train import train
from tests.tiny import tiny

LINE = "ka mi lo tu"
HEADS = "{score: scaled_dot, heads: 2}"


@pytest.fixture(scope="module")
def heads(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A Transformer of two layers with two heads each, hardly trained."""
    side = f"{{type: transformer, layers: 2, feedforward: 8, self_attention: {HEADS}}}"
    decoder = f"{{type: transformer, layers: 2, feedforward: 8, attention: {HEADS}, self_attention: {HEADS}}}"
    out = tmp_path_factory.mktemp("attend") / "run"
    sets = (f"model.encoder={side}", f"model.decoder={decoder}", "model.embedding.width=8", "training.max_updates=2")
    train(tiny(corpus, *sets), out, device="cpu")
    return load(out)


def test_every_word_spends_all_its_attention_on_the_words_and_the_end(heads: Model) -> None:
    found = heads.attend(LINE, "ka lo")
    assert found.source == (*LINE.split(), END)
    assert found.target == ("ka", "lo", END)
    assert [(each.layer, each.part) for each in found.maps] == [
        (layer, part) for layer in (1, 2) for part in ("head 1", "head 2", "all heads")
    ]
    for each in found.maps:
        assert each.weights.shape == (3, 5)
        assert each.weights.sum(1).tolist() == pytest.approx([1, 1, 1])
    assert [(each.layer, each.part) for each in found.summarize()] == [(1, "all heads"), (2, "all heads")]


def test_the_weight_of_a_word_is_that_of_its_subwords(heads: Model) -> None:
    pair = WordPair.encode(heads.tokenizer, LINE.split(), ["ka", "lo"])
    whole = trace_maps(heads.network, pair.source, pair.target)[0].weights.numpy()
    found = heads.attend(LINE, "ka lo").maps[0].weights.numpy()
    for j, target in enumerate((0, 1, -1)):
        rows = whole[np.array(pair.target_owners) == target]
        for i, source in enumerate((0, 1, 2, 3, -1)):
            expected = rows[:, np.array(pair.source_owners) == source].sum(1).mean()
            assert found[j, i] == pytest.approx(expected, abs=1e-6)


def test_without_a_translation_it_reads_its_own(trained: Path) -> None:
    model = load(trained)
    found = model.attend(LINE)
    assert " ".join(found.target[:-1]) == model.translate([LINE])[0]


def test_a_line_without_words_is_refused(trained: Path) -> None:
    with pytest.raises(DataError, match="no word"):
        load(trained).attend(" \t ")


def test_what_a_model_cannot_read_is_refused(corpus: Path, tmp_path: Path) -> None:
    side = f"{{type: transformer, layers: 1, feedforward: 8, positions: learned, self_attention: {HEADS}}}"
    sets = (f"model.encoder={side}", "model.embedding.width=8", "training.max_updates=2", "data.max_length=20")
    train(tiny(corpus, *sets), tmp_path / "run", device="cpu")
    with pytest.raises(DataError, match=r"the source has \d+ subwords, but this model reads at most 20"):
        load(tmp_path / "run").attend("ka " * 40, "ka")


def test_characters_are_the_words_of_a_language_without_spaces(trained: Path) -> None:
    model = load(trained)
    data = model.config.data.model_copy(update={"source": "ja", "target": "zh"})
    model.config = model.config.model_copy(update={"data": data})
    found = model.attend("kami lo", "tu")
    assert found.source == (*"kamilo", END)
    assert found.target == (*"tu", END)


def test_text_and_page_show_words_and_weights_and_execute_nothing(heads: Model) -> None:
    found = heads.attend("ka <script>alert(1)</script> lo", "mi <b>ka</b>")
    text = found.to_text()
    assert text.startswith(f"{heads.path}: mi <b>ka</b>\n\nlayer 1, all heads, percent\n")
    first = found.maps[2].weights[0]
    row = next(line for line in text.splitlines() if line.startswith("mi"))
    assert row.split()[1:] == [f"{100 * weight:.0f}" if weight >= 0.005 else "·" for weight in first.tolist()]
    for page in (render_page([found]), render_fragment(found)):
        assert "<script" not in page
        assert "&lt;script&gt;" in page
        assert page.count("<table>") == len(found.maps)
        weights = [float(number) for number in re.findall(r"--w:([\d.]+)", page)]
        shown = [*found.summarize(), *(each for each in found.maps if each.part != "all heads")]
        assert weights == pytest.approx(np.concatenate([each.weights.flatten().numpy() for each in shown]), abs=6e-4)
    assert found._repr_html_() == render_fragment(found)


def test_no_attention_is_said() -> None:
    found = Attended("a model", ("ka", END), ("lo", END), ())
    assert found.to_text() == "a model: lo\nno attention: the same fixed vector, whatever is written"
    assert "the same fixed vector" in render_page([found])
