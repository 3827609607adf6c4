"""What a run directory refuses, and what --overwrite may remove."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seq2attn import durable
from seq2attn.errors import DataError, Seq2attnError, UsageError
from seq2attn.runs import directory as module
from seq2attn.runs.directory import Run
from seq2attn.runs.train import train
from seq2attn.training.checkpoint import MODEL, Checkpoints
from tests.tiny import TRAINED, config_file, tiny, write_corpus


def weights_of(out: Path) -> bytes:
    return (out / "model" / MODEL).read_bytes()


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to change."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_fewer_updates_and_other_settings_are_refused_by_name(run: Path, corpus: Path) -> None:
    with pytest.raises(UsageError, match=r"training\.max_updates: 60 → 5"):
        train(tiny(corpus, *TRAINED, "training.max_updates=5"), run, device="cpu")
    with pytest.raises(UsageError, match=r"seed: 1 → 2; model\.decoder\.width: 16 → 9") as caught:
        train(tiny(corpus, *TRAINED, "seed=2", "model.decoder.width=9"), run, device="cpu")
    assert "--overwrite" in caught.value.hint
    assert Run.open(run).finished


@pytest.mark.parametrize("role", ["train", "validation"])
def test_another_text_under_the_same_name_is_refused(role: str, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    train(tiny(corpus, "training.max_updates=1"), tmp_path / "run", device="cpu")
    file = corpus / f"{role}.en"
    file.write_text(file.read_text().replace("ka", "mi", 1))
    with pytest.raises(UsageError, match=rf"the text of data\.{role} \(.*corpus/{role}"):
        train(tiny(corpus, "training.max_updates=1"), tmp_path / "run", device="cpu")


def test_the_same_text_in_another_form_is_refused_as_such(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    train(tiny(corpus, "training.max_updates=1"), tmp_path / "run", device="cpu")
    sides = ((corpus / f"train.{language}").read_text().splitlines() for language in ("en", "de"))
    (tmp_path / "train.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in zip(*sides, strict=True)))
    table = f"data.train={{type: tsv, path: {tmp_path}/train.tsv}}"
    with pytest.raises(UsageError, match=r"the text of data\.train, or the form in which it is read \(.*train\.tsv; "):
        train(tiny(corpus, "training.max_updates=1", table), tmp_path / "run", device="cpu")


@pytest.mark.parametrize("done", [3, 6])
def test_what_does_not_change_training_may_change(tmp_path: Path, done: int, capfd: pytest.CaptureFixture[str]) -> None:
    corpus, settings = write_corpus(tmp_path / "corpus"), ("training.max_updates=6", "training.select=loss")
    train(tiny(corpus, *settings, f"training.max_updates={done}"), tmp_path / "run", device="cpu")
    train(tiny(corpus, *settings), tmp_path / "whole", device="cpu")
    corpus.rename(tmp_path / "moved")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "moved" / "validation.en").rename(tmp_path / "moved" / "dev.en")
    (tmp_path / "moved" / "validation.de").rename(tmp_path / "moved" / "dev.de")
    changes = [
        f"data.train={tmp_path}/./moved/train",
        f"data.validation={{type: text, source: {tmp_path}/moved/dev.en, target: {tmp_path}/moved/dev.de}}",
        f"data.test={tmp_path}/moved/test",
        "evaluation={lowercase: true, tokenize: char, beam: 2, length_penalty: 0.5}",
        *("training.keep_last=4", "training.keep_best=2", "training.log_every=1"),
    ]
    train(tiny(tmp_path / "corpus", *settings, *changes), tmp_path / "run", device="cpu")
    assert weights_of(tmp_path / "run") == weights_of(tmp_path / "whole")
    assert ("finished already" in capfd.readouterr().err) == (done == 6)


def test_validation_bleu_that_decides_is_computed_alike_throughout(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    train(tiny(corpus, "training.max_updates=4"), tmp_path / "run", device="cpu")
    changed = ("evaluation.lowercase=true", "evaluation.beam=2")
    train(tiny(corpus, "training.max_updates=4", *changed), tmp_path / "run", device="cpu")
    with pytest.raises(UsageError, match=r"different: evaluation\.lowercase: false → true$"):
        train(tiny(corpus, "training.max_updates=5", *changed), tmp_path / "run", device="cpu")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_no_run_wrote_is_never_touched(corpus: Path, tmp_path: Path, overwrite: bool) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter1.tex").write_text("precious")
    with pytest.raises(UsageError, match="not empty, and not a run directory"):
        train(tiny(corpus), out, device="cpu", overwrite=overwrite)
    assert (out / "chapter1.tex").read_text() == "precious"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_is_no_run_directory(corpus: Path, tmp_path: Path, overwrite: bool) -> None:
    out = tmp_path / "notes"
    out.write_text("precious")
    with pytest.raises(UsageError, match="notes: not a"):
        train(tiny(corpus), out, device="cpu", overwrite=overwrite)
    assert out.read_text() == "precious"


def test_overwrite_removes_the_run_that_is_there(run: Path, corpus: Path) -> None:
    train(tiny(corpus, "seed=5", "training.max_updates=2"), run, device="cpu", overwrite=True)
    assert Checkpoints(run / "checkpoints").updates() == [2]
    assert {event["update"] for event in Run.open(run).events()} == {2}
    assert Run.open(run).manifest.seed == 5


def test_overwrite_keeps_the_old_run_if_the_new_is_wrong(run: Path, corpus: Path) -> None:
    before = weights_of(run)
    for override in ("data.train=no/where", "data.vocab_size=30000", "model.embedding.width=-1"):
        with pytest.raises(Seq2attnError):
            train(tiny(corpus, override), run, device="cpu", overwrite=True)
        assert weights_of(run) == before


@pytest.mark.parametrize("content", ['{"finished": tr', "{}", "[]"])
def test_a_damaged_manifest_is_named(run: Path, corpus: Path, content: str) -> None:
    (run / "manifest.json").write_text(content)
    with pytest.raises(UsageError, match=r"manifest\.json: damaged") as caught:
        train(tiny(corpus, *TRAINED), run, device="cpu")
    assert "--overwrite" in caught.value.hint


def test_pairs_too_long_for_learned_positions_are_named(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    for language in ("en", "de"):
        with (corpus / f"validation.{language}").open("a") as file:
            file.write("ka " * 60 + "\n")
    encoder = "model.encoder={type: transformer, layers: 1, feedforward: 8, positions: learned}"
    with pytest.raises(
        DataError, match=r"validation\.en:11: 6\d subwords, but positions are learned up to .*: 50"
    ) as caught:
        train(tiny(corpus, encoder, "data.max_length=50"), tmp_path / "run", device="cpu")
    assert re.fullmatch(r"choose `positions: sinusoidal`, or set data\.max_length to 6\d", caught.value.hint)
    assert not (tmp_path / "run").exists()


def test_sources_too_long_for_the_location_score_are_named(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    for language, text in (("en", "ka " * 60), ("de", "ba")):
        with (corpus / f"validation.{language}").open("a") as file:
            file.write(f"{text}\n")
    score = "model.decoder.attention.score={type: location, max_source: 50}"
    with pytest.raises(
        DataError, match=r"validation\.en:11: 6\d subwords, but the location score has max_source: 50"
    ) as caught:
        train(tiny(corpus, score, "data.max_length=50"), tmp_path / "run", device="cpu")
    assert re.fullmatch(r"set model\.decoder\.attention\.score\.max_source to 6\d", caught.value.hint)


def test_opening_what_is_no_run_is_an_error(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(config_file(write_corpus(tmp_path / "corpus")).read_text())
    with pytest.raises(UsageError, match="not a run directory"):
        Run.open(tmp_path)
    shutil.copy(trained / "manifest.json", tmp_path)
    assert not Run.open(tmp_path).finished  # it has no model


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_vocabulary_of_an_unstarted_run_is_not_used(trained: Path, tmp_path: Path, overwrite: bool) -> None:
    corpus, out = write_corpus(tmp_path / "corpus"), tmp_path / "run"
    file = corpus / "train.de"
    file.write_text(file.read_text().replace("b", "k"))
    shutil.copytree(trained / "tokenizer", out / "tokenizer")
    train(tiny(corpus, "training.max_updates=1"), out, device="cpu", overwrite=overwrite)
    own = (out / "model/joint.model").read_bytes()
    assert own != (trained / "tokenizer/joint.model").read_bytes()
    assert (out / "tokenizer/joint.model").read_bytes() == own


def test_a_killed_removal_can_be_finished(
    run: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each removal of a file or folder of the run is the last one, until there is no more."""
    config, copies = tiny(corpus, "training.max_updates=1"), 0
    while True:
        copies += 1
        out = Path(shutil.copytree(run, tmp_path / f"{copies}"))
        left = iter([None] * copies)
        with monkeypatch.context() as patch:
            patch.setattr(module, "remove_folder", _dying(out, left, durable.remove_folder))
            patch.setattr(Path, "unlink", _dying(out, left, Path.unlink))
            try:
                train(config, out, device="cpu", overwrite=True)
                break
            except KeyboardInterrupt:
                pass
        train(config, out, device="cpu", overwrite=True)
        assert Run.open(out).finished
    assert copies > 5


def _dying(out: Path, left: Iterator[None], real: Callable[..., None]) -> Callable[..., None]:
    """`real`, which ends the process once nothing is `left`; only what it removes in `out` counts."""

    def remove(path: Path, **options: bool) -> None:
        real(path, **options)
        if path.is_relative_to(out) and next(left, "none") == "none":
            raise KeyboardInterrupt

    return remove


def test_a_run_whose_model_is_gone_exports_it_again(run: Path, corpus: Path) -> None:
    before = weights_of(run)
    shutil.rmtree(run / "model")
    assert not Run.open(run).finished
    train(tiny(corpus, *TRAINED), run, device="cpu")
    assert weights_of(run) == before
