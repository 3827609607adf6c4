"""Loading a trained model and translating with it, wherever it lies."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

import seq2attn
from seq2attn.build.model import build_seq2seq
from seq2attn.errors import DataError, Seq2attnError, UsageError
from seq2attn.inference.files import CHECKSUMS
from seq2attn.inference.model import ANY_LENGTH, Model, load
from seq2attn.runs.directory import Run
from seq2attn.search import Beam, Greedy
from seq2attn.training.checkpoint import MODEL
from tests.tiny import TRAINED, sentences, tiny

LINES = ["ka mi lo", "", *sentences(5, 77)]


def test_a_model_folder_copied_elsewhere_translates_the_same(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "model", tmp_path / "copy")
    translations = seq2attn.load(trained).translate(LINES)
    assert len(translations) == len(LINES)
    assert translations[1] == ""
    assert len(set(translations)) > 2, translations
    for path in (str(trained), trained / "model", tmp_path / "copy"):
        assert seq2attn.load(path).translate(LINES) == translations


def test_a_model_knows_its_config_and_its_folder(trained: Path) -> None:
    model = load(trained)
    assert model.config == Run.open(trained).config
    assert model.path == trained / "model"
    assert not model.network.training


def test_beam_one_is_greedy_and_the_penalty_matters(trained: Path) -> None:
    model = load(trained)
    greedy = [best[0].text for best in model.search(LINES, Greedy())]
    assert model.translate(LINES, beam=1) == greedy
    assert model.choose_search(1) == Greedy()
    assert model.translate(LINES, batch_tokens=1) == model.translate(LINES)
    longer = model.translate(LINES, length_penalty=8.0)
    assert sum(map(len, longer)) > sum(map(len, model.translate(LINES, length_penalty=0.0)))


def test_beam_and_length_penalty_are_the_configs_unless_given(trained: Path, trained_otherwise: Path) -> None:
    model = load(trained_otherwise)
    assert model.choose_search() == Beam(3, 0.5)
    assert model.choose_search(4, 0.0) == Beam(4, 0.0)
    assert load(trained).choose_search() == Beam(5, 1.0)
    for settings in ({}, {"beam": 2}, {"length_penalty": 8.0}):
        expected = {"beam": 3, "length_penalty": 0.5} | settings
        assert model.translate(LINES, **settings) == model.translate(LINES, **expected)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"beam": 0}, "beam is 0"),
        ({"length_penalty": -1.0}, "length_penalty is -1.0"),
        ({"length_penalty": float("nan")}, "length_penalty is nan"),
        ({"batch_tokens": 0}, "batch_tokens is 0"),
        ({"max_length": 1}, "max_length is 1"),
        ({"max_output": 0}, "max_output is 0"),
    ],
)
def test_settings_out_of_range_are_refused(trained: Path, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says) as error:
        load(trained).translate(LINES, **settings)
    assert error.value.hint


def test_the_exported_weights_have_the_validation_loss_that_was_logged(trained: Path, corpus: Path) -> None:
    model = load(trained)
    sides = [(corpus / f"validation.{language}").read_text().splitlines() for language in ("en", "de")]
    source, target = model.tokenizer.encode_source(sides[0]), model.tokenizer.encode_target(sides[1])
    with torch.inference_mode():
        sums = [
            F.cross_entropy(
                model.network.logits(model.network(torch.tensor([x]), torch.tensor([y])))[0],
                torch.tensor(y),
                reduction="sum",
            )
            for x, y in zip(source, target, strict=True)
        ]
    loss = float(torch.stack(sums).sum()) / sum(map(len, target))
    losses = [event["loss"] for event in Run.open(trained).events() if event["event"] == "validation"]
    assert loss == pytest.approx(min(losses), rel=1e-5)


def test_what_is_no_model_is_refused(tmp_path: Path, trained: Path) -> None:
    with pytest.raises(UsageError, match="no model here"):
        load(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="--device tpu: no such device"):
        load(trained, device="tpu")


def test_a_damaged_model_is_one_clear_line(tmp_path: Path, trained: Path) -> None:
    copy = Path(shutil.copytree(trained / "model", tmp_path / "model"))
    (copy / CHECKSUMS).unlink()
    whole = (copy / MODEL).read_bytes()
    (copy / MODEL).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Seq2attnError, match=r"model\.safetensors: cannot be read"):
        load(copy)
    (copy / MODEL).write_bytes(whole)
    config = copy / "config.yaml"
    config.write_text(config.read_text().replace("width: 16", "width: 18"))
    with pytest.raises(Seq2attnError, match="does not fit the config's model"):
        load(copy)
    (copy / "joint.model").unlink()
    with pytest.raises(DataError, match="SentencePiece"):
        load(copy)


def test_a_line_longer_than_in_training_is_split_with_a_warning(trained: Path) -> None:
    model, line = load(trained), "ka mi ra tu ni. " * 60
    with pytest.warns(UserWarning, match="1 line of more than 250 subwords was split"):
        [split] = model.translate([line], beam=1)
    [whole] = model.translate([line], beam=1, max_length=ANY_LENGTH)
    assert split != whole
    with pytest.raises(DataError, match="line 1: 361 subwords, more than 250"):
        model.translate([line], on_long="error")


@pytest.mark.filterwarnings("ignore:.* cut at the limit")
@pytest.mark.parametrize(
    ("change", "longest"),
    [
        ("model.encoder={type: transformer, layers: 1, positions: learned}", 9),
        ("model.decoder.attention={score: {type: location, max_source: 12}}", 12),
        ("model.decoder=lstm", None),
    ],
)
def test_no_line_is_longer_than_the_model_can_read(
    corpus: Path, trained: Path, change: str, longest: int | None
) -> None:
    config = tiny(corpus, *TRAINED, "data.max_length=9", change)
    assert config.longest_source == longest
    known = load(trained)
    network = build_seq2seq(config.model, source_size=40, target_size=40, max_length=9)
    model = Model(network, known.tokenizer, config, known.path)
    if longest is None:
        model.translate(["ka " * 30], max_length=ANY_LENGTH)
    else:
        with pytest.warns(UserWarning, match=f"more than {longest} subwords"):
            model.translate(["ka " * 30], max_length=ANY_LENGTH)


def test_the_hypotheses_of_a_line_have_different_texts(spelled: Path) -> None:
    model = load(spelled)
    with torch.no_grad():
        model.network.bias[4:260] += 9.0  # bytes, most of which are no character and look alike
    raw = list(model.make_translator(Beam(5, 1.0)).translate(["ka", "mi lo"]))
    different = list(model.search(["ka", "mi lo"], Beam(5, 1.0)))
    assert any(len({h.text for h in hypotheses}) < len(hypotheses) for hypotheses in raw)
    for hypotheses, kept in zip(raw, different, strict=True):
        assert [h.text for h in kept] == list(dict.fromkeys(h.text for h in hypotheses))
        assert kept[0] == hypotheses[0]
        assert [h.score for h in kept] == sorted((h.score for h in kept), reverse=True)


# What is not typed right, given by a user without a type checker: tried where annotations are not executed.
WRONG = """
import sys
import seq2attn
from seq2attn.errors import Seq2attnError
model = seq2attn.load(sys.argv[1])
calls = (
    lambda: model.translate("Das ist gut."),
    lambda: model.translate(b"Das ist gut."),
    lambda: model.search("Das ist gut.", model.choose_search()),
    lambda: model.translate(["ka", None]),
    lambda: model.translate(["ka"], on_long="cut"),
)
for call in calls:
    try:
        print(call())
    except Seq2attnError as error:
        print(error.message)
"""


def test_what_is_no_list_of_lines_is_refused(trained: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRONG, str(trained)], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines() == [
        *["a single string where lines are expected"] * 3,
        "line 2 is not a string but of type NoneType",
        "on_long is 'cut'",
    ]
