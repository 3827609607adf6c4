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
from seq2attn.config.config import EvaluationConfig
from seq2attn.errors import DataError, Seq2attnError, UsageError
from seq2attn.inference.files import CHECKSUMS
from seq2attn.inference.model import Model, load
from seq2attn.runs.directory import Run
from seq2attn.search import Beam, Greedy
from seq2attn.search.arguments import MOST_OUTPUT, MOST_PENALTY, WIDEST_BEAM
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
    (tmp_path / "somewhere").mkdir()
    with pytest.raises(UsageError, match="no model here"):
        load(tmp_path / "somewhere")
    with pytest.raises(UsageError, match="nowhere: no such folder") as caught:
        load(tmp_path / "nowhere")
    assert caught.value.hint == f"did you mean {tmp_path}/somewhere?"
    with pytest.raises(UsageError, match="a checkpoint of the run") as caught:
        load(trained / "checkpoints/update-00000060")
    assert caught.value.hint == f"write: {trained} --checkpoint 60"
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
    [whole] = model.translate([line], beam=1, max_length=10_000)
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
        model.translate(["ka " * 30], max_length=10_000)
    else:
        with pytest.warns(UserWarning, match=f"more than {longest} subwords"):
            model.translate(["ka " * 30], max_length=10_000)


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
from pathlib import Path
import torch
import seq2attn
from seq2attn.errors import Seq2attnError
from seq2attn.search import Beam, Greedy, Sampling
model = seq2attn.load(sys.argv[1], device=torch.device("cpu"))
translate, lines, nan = model.translate, ["ka"], float("nan")
for call in sys.stdin:
    try:
        print("done", len(list(eval(call))))
    except Seq2attnError as error:
        assert error.hint
        print(error.message)
"""
CALLS = {
    'translate("Das ist gut.")': "a single string where lines are expected",
    'translate(b"Das ist gut.")': "a single string where lines are expected",
    'model.search("Das ist gut.", model.choose_search())': "a single string where lines are expected",
    'translate(["ka", None])': "line 2 is not a string but of type NoneType",
    'translate({"a": "b"})': "lines of type dict, which has no lines in order",
    'translate({"a", "b"})': "lines of type set, which has no lines in order",
    "translate(None)": "lines of type NoneType, which has no lines in order",
    'translate(Path("x"))': "lines of type PosixPath, which has no lines in order",
    'translate(("ka", "mi"))': "done 2",
    'translate({"a": "b"}.values())': "done 1",
    'translate(lines, on_long="cut")': "on_long is 'cut'",
    "translate(lines, beam=10**6)": "beam is 1000000",
    "translate(lines, beam=1.5)": "beam is 1.5",
    'translate(lines, beam="2")': "beam is '2'",
    "translate(lines, beam=nan)": "beam is nan",
    "translate(lines, beam=True)": "beam is True",
    "translate(lines, length_penalty=1e308)": "length_penalty is 1e+308",
    "translate(lines, length_penalty=10**400)": f"length_penalty is {10**400}",
    'translate(lines, length_penalty="1")': "length_penalty is '1'",
    "translate(lines, max_length=2.5)": "max_length is 2.5",
    "translate(lines, max_output=1.5)": "max_output is 1.5",
    "translate(lines, max_output=nan)": "max_output is nan",
    'translate(lines, batch_tokens="2")': "batch_tokens is '2'",
    "model.search(lines, Beam(0))": "width is 0",
    "model.search(lines, Beam(2, nan))": "length_penalty is nan",
    "model.search(lines, Sampling(0, None, 1))": "temperature is 0",
    "model.search(lines, Sampling(-1))": "temperature is -1",
    "model.search(lines, Sampling(nan))": "temperature is nan",
    'model.search(lines, Sampling(float("inf")))': "temperature is inf",
    "model.search(lines, Sampling(1.0, 0, 1))": "top_k is 0",
    "model.search(lines, Sampling(seed=1.5))": "seed is 1.5",
    'model.search(lines, "beam")': "search is 'beam'",
    "model.search(lines, Greedy)": "search is <class 'seq2attn.search.greedy.Greedy'>",
    "model.search(lines, Sampling(1, 5))": "done 1",
    "seq2attn.load(sys.argv[1], device=None)": "--device None: no such device",
    "seq2attn.load(None)": "path is None",
}


def test_what_python_gives_is_checked(trained: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRONG, str(trained)],
        input="\n".join(CALLS),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert dict(zip(CALLS, done.stdout.splitlines(), strict=True)) == CALLS


def test_python_and_the_config_have_the_same_bounds() -> None:
    fields = EvaluationConfig.model_json_schema()["properties"]
    assert fields["beam"]["maximum"] == WIDEST_BEAM
    assert fields["length_penalty"]["maximum"] == MOST_PENALTY
    assert fields["max_output"]["anyOf"][0]["maximum"] == MOST_OUTPUT
