"""Runs: exact resuming (law 9), and what a run directory holds."""

import math
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2attn.config.config import Config
from seq2attn.config.load import load_config
from seq2attn.data.batches import Batch
from seq2attn.errors import Seq2attnError
from seq2attn.runs import session as module
from seq2attn.runs.directory import Run
from seq2attn.runs.signals import InterruptedRunError
from seq2attn.runs.train import plan_training, train
from seq2attn.training.checkpoint import MODEL, Checkpoints, read_tensors
from seq2attn.training.ranking import METRIC_NAMES
from seq2attn.training.trainer import Step, Trainer
from tests.tiny import TRAINED, timeless, tiny

EVERYTHING = (
    "model.dropout=0.2",
    "data.tokenizer.sampling=0.3",
    "training.accumulation=2",
    "training.curriculum={start: 0.3, all_from: 3}",
    "training.attention_maps={sentences: 3, first: 3}",
    "training.ema=0.9",
    "training.r_drop=1.0",
    "training.max_updates=22",
    "training.schedule={type: plateau, warmup: 2, factor: 0.5, patience: 1, metric: bleu}",
    "training.early_stopping={metric: bleu, patience: 9}",
    "training.keep_last=3",
    "training.select=average",
    "training.average={count: 3, of: last}",
)


def maps_of(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "attention_maps").iterdir()}


def weights_of(out: Path) -> bytes:
    return (out / "model" / MODEL).read_bytes()


def interrupted(config: Config, out: Path, update: int, monkeypatch: pytest.MonkeyPatch) -> InterruptedRunError:
    """Train until SIGTERM comes in the middle of `update`."""
    step = Trainer.update

    def with_signal(self: Trainer) -> Step:
        if self.position.update == update - 1:
            signal.raise_signal(signal.SIGTERM)
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", with_signal)
        with pytest.raises(InterruptedRunError) as caught:
            train(config, out, device="cpu")
    return caught.value


def events(out: Path) -> list[dict[str, Any]]:
    return timeless(Run.open(out).events())


@pytest.fixture(scope="session")
def everything(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run with all that has a state."""
    out = tmp_path_factory.mktemp("everything") / "run"
    train(tiny(corpus, *EVERYTHING), out, device="cpu")
    return out


def test_checkpoints_by_time_leave_no_trace(everything: Path, corpus: Path, tmp_path: Path) -> None:
    config = tiny(corpus, *EVERYTHING, "training.checkpoint_every_minutes=1e-9")
    train(config, tmp_path, device="cpu")
    assert weights_of(tmp_path) == weights_of(everything)
    assert events(tmp_path) == events(everything)
    assert Run.open(tmp_path).checkpoints.updates() == Run.open(everything).checkpoints.updates()


def test_a_killed_run_goes_on_from_a_checkpoint_by_time(
    everything: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, step = tiny(corpus, *EVERYTHING, "training.checkpoint_every_minutes=1e-9"), Trainer.update

    def lose_power(self: Trainer) -> Step:
        if self.position.update == 14:
            raise OSError("no power")
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", lose_power)
        with pytest.raises(Seq2attnError):
            train(config, tmp_path, device="cpu")
    assert Run.open(tmp_path).checkpoints.newest()[0] == 14
    torch.manual_seed(99)
    train(config, tmp_path, device="cpu")
    assert weights_of(tmp_path) == weights_of(everything)
    assert events(tmp_path) == events(everything)


@pytest.mark.parametrize("updates", [(1, 10), (12,), (21, 22)])
def test_a_stopped_and_resumed_run_ends_the_same(
    everything: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, updates: tuple[int, ...]
) -> None:
    out, config = tmp_path / "run", tiny(corpus, *EVERYTHING)
    for update in updates:
        error = interrupted(config, out, update, monkeypatch)
        assert error.exit_code == 143
        assert f"SIGTERM at update {update}" in error.message
        assert Checkpoints(out / "checkpoints").updates()[-1] == update
        assert not Run.open(out).finished
        torch.manual_seed(99)  # the random state must come from the checkpoint
    train(config, out, device="cpu")
    assert weights_of(out) == weights_of(everything)
    assert events(out) == events(everything)
    assert Checkpoints(out / "checkpoints").updates() == Checkpoints(everything / "checkpoints").updates()
    assert maps_of(out) == maps_of(everything)


def test_a_stopped_run_keeps_the_same_checkpoints(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(corpus, "training.validate_every=100")
    interrupted(config, tmp_path, 5, monkeypatch)
    assert Checkpoints(tmp_path / "checkpoints").updates() == [5]
    train(config, tmp_path, device="cpu")
    assert Checkpoints(tmp_path / "checkpoints").updates() == [12]


DRAWN = "model.decoder={type: luong, input_feeding: false, width: 8, attention: {aggregation: %s}}"
WITH_STATE = {
    "reinforce": DRAWN % "reinforce",
    "gumbel": DRAWN % "gumbel",
    "marginal": DRAWN % "{type: marginal, top_k: 2}",
    "elbo": DRAWN % "elbo",
    "learned entmax": "model.decoder.attention={score: scaled_dot, normalizer: {type: entmax, alpha: learned}}",
    "temporal": "model.decoder.attention={temporal: true}",
}


@pytest.mark.parametrize("name", WITH_STATE)
def test_stateful_and_random_mechanisms_resume_exactly(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    config = tiny(corpus, WITH_STATE[name], "training.max_updates=6", "model.dropout=0.2")
    train(config, tmp_path / "whole", device="cpu")
    interrupted(config, tmp_path / "parts", 3, monkeypatch)
    torch.manual_seed(99)
    train(config, tmp_path / "parts", device="cpu")
    assert weights_of(tmp_path / "parts") == weights_of(tmp_path / "whole")
    assert events(tmp_path / "parts") == events(tmp_path / "whole")


def test_the_seed_decides_the_weights(everything: Path, corpus: Path, tmp_path: Path) -> None:
    train(tiny(corpus, *EVERYTHING), tmp_path / "same", device="cpu")
    assert weights_of(tmp_path / "same") == weights_of(everything)
    train(tiny(corpus, *EVERYTHING, "seed=2", "training.max_updates=2"), tmp_path / "other", device="cpu")
    first, other = (Run.open(path).events()[0]["loss"] for path in (everything, tmp_path / "other"))
    assert first != other


def test_a_run_ends_with_a_validation_whatever_its_length(everything: Path) -> None:
    events = Run.open(everything).events()
    assert [event["update"] for event in events if event["event"] == "validation"] == [4, 8, 12, 16, 20, 22]
    assert (events[-1]["event"], events[-1]["update"]) == ("end", 22)


def test_an_average_is_exported_if_the_config_selects_it(everything: Path) -> None:
    checkpoints = Checkpoints(everything / "checkpoints")
    last = checkpoints.updates()[-3:]
    parts = [read_tensors(checkpoints.path(update) / MODEL) for update in last]
    for name, tensor in read_tensors(everything / "model" / MODEL).items():
        torch.testing.assert_close(tensor, torch.stack([part[name] for part in parts]).mean(0), rtol=1e-6, atol=1e-7)
    assert f"the average of updates {', '.join(map(str, last))}" in (everything / "model/README.md").read_text()


@pytest.mark.parametrize(("metric", "best"), [("loss", 8), ("bleu", 8), ("chrf", 12)])
def test_without_it_the_best_checkpoint_is_exported(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metric: str, best: int
) -> None:
    figures = [{"loss": 3.0, "bleu": 7.0, "chrf": 1.0}, {"loss": 1.0, "bleu": 7.0, "chrf": 2.0}]
    found = iter([*figures, {"loss": 2.0, "bleu": 0.0, "chrf": 3.0}])
    monkeypatch.setattr(module, "make_validator", lambda *arguments: lambda: next(found))
    train(tiny(corpus, f"training.select={metric}"), tmp_path, device="cpu")
    kept = read_tensors(tmp_path / "checkpoints" / f"update-{best:08d}" / MODEL)
    exported = read_tensors(tmp_path / "model" / MODEL)
    assert all(torch.equal(exported[name], kept[name]) for name in kept)
    assert (
        f"of update {best}, the best by validation {METRIC_NAMES[metric]}" in (tmp_path / "model/README.md").read_text()
    )


@pytest.mark.parametrize(
    ("chrf", "says"), [((1.0, 2.0, 3.0), "--set training.select=chrf"), ((0.0, 0.0, 0.0), "chrF2 did not move either")]
)
def test_a_bleu_that_never_moved_leaves_the_choice_to_the_loss(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    chrf: tuple[float, ...],
    says: str,
) -> None:
    figures = zip((5.4, 4.1, 4.3), chrf, strict=True)
    validations = iter([{"loss": loss, "bleu": 0.0, "chrf": value} for loss, value in figures])
    monkeypatch.setattr(module, "make_validator", lambda *arguments: lambda: next(validations))
    train(tiny(corpus), tmp_path, device="cpu")
    assert "of update 8" in (tmp_path / "model/README.md").read_text()
    assert "validation BLEU was 0.00 all 3 times" in (said := capsys.readouterr().err)
    assert says in said


def test_a_finished_run_says_so_and_is_left_alone(
    trained: Path, corpus: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    monkeypatch.setattr(Trainer, "update", lambda self: pytest.fail("it trains"))
    train(tiny(corpus, *TRAINED), trained, device="cpu")
    assert "finished already, after 60 updates" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before


def test_raised_max_updates_end_as_if_asked_for_at_once(corpus: Path, tmp_path: Path) -> None:
    for out, steps in (("twice", (12, 17)), ("once", (17,))):
        for updates in steps:
            train(tiny(corpus, f"training.max_updates={updates}"), tmp_path / out, device="cpu")
            assert Run.open(tmp_path / out).manifest.updates == updates
    assert weights_of(tmp_path / "twice") == weights_of(tmp_path / "once")


def test_logging_and_threads_may_change(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(tiny(corpus), tmp_path / "run", 6, monkeypatch)
    train(tiny(corpus, "training.log_every=1"), tmp_path / "run", device="cpu", threads=1)
    assert [e["update"] for e in Run.open(tmp_path / "run").events() if e["event"] == "train"] == [5, *range(7, 13)]


def test_skipped_updates_are_counted_without_nan(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    differentiate = Trainer.differentiate

    def broken(self: Trainer, batch: Batch, tokens: int) -> torch.Tensor:
        return differentiate(self, batch, tokens) * (math.nan if self.position.update == 5 else 1.0)

    monkeypatch.setattr(Trainer, "differentiate", broken)
    train(tiny(corpus, "training.log_every=1"), tmp_path, device="cpu")
    logged = [event for event in Run.open(tmp_path).events() if event["event"] == "train"]
    assert [event["update"] for event in logged] == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12]
    assert all(math.isfinite(event["loss"]) for event in logged)
    assert [event["skipped"] for event in logged] == [0] * 4 + [1] * 7
    assert Run.open(tmp_path).manifest.skipped_updates == 1
    assert "1 updates were skipped" in capsys.readouterr().err


STOPPING = (
    "training.max_updates=60",
    "training.validate_every=2",
    "training.schedule={type: constant}",
    "training.optimizer={type: sgd, learning_rate: 1.0e-12}",  # nothing can improve by much
    "training.early_stopping={metric: chrf, patience: 3}",
)


def test_a_run_stopped_early_does_not_resume(corpus: Path, tmp_path: Path) -> None:
    config, out = tiny(corpus, *STOPPING), tmp_path / "run"
    train(config, out, device="cpu")
    events = Run.open(out).events()
    assert Run.open(out).finished
    assert events[-1]["update"] == 8  # the first validation is the best; three more without improvement
    manifest = out / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"finished": true', '"finished": false'))  # killed while exporting
    shutil.rmtree(out / "model")
    train(config, out, device="cpu")
    assert timeless(Run.open(out).events()) == timeless(events)
    assert (out / "model" / MODEL).exists()


def test_metrics_are_those_of_the_contract(trained: Path) -> None:
    events = Run.open(trained).events()
    assert [(event["event"], event["update"]) for event in events] == [
        ("validation", 20),
        ("checkpoint", 20),
        ("train", 25),
        ("validation", 40),
        ("checkpoint", 40),
        ("train", 50),
        ("validation", 60),
        ("checkpoint", 60),
        ("train", 60),
        ("end", 60),
    ]
    keys = {event["event"]: set(event) - {"event", "update"} for event in events}
    assert keys == {
        "train": {"loss", "learning_rate", "skipped", "seconds", "target_tokens_per_second"},
        "validation": {"loss", "bleu", "chrf", "seconds"},
        "checkpoint": set(),
        "end": {"seconds"},
    }
    rates = {event["update"]: event["learning_rate"] for event in events if event["event"] == "train"}
    assert rates == pytest.approx({update: 0.04 * (2 / update) ** 0.5 for update in (25, 50, 60)})


def test_the_first_loss_is_that_of_knowing_nothing(trained: Path) -> None:
    """In nats a target token, without smoothing: about ln(vocabulary) at first, less later."""
    losses = [event["loss"] for event in Run.open(trained).events() if event["event"] == "train"]
    assert 2 < losses[0] < 3.7
    assert losses[-1] < losses[0] - 0.3


def test_the_manifest_says_what_made_the_run(trained: Path, corpus: Path) -> None:
    manifest = Run.open(trained).manifest
    assert manifest.finished is True
    assert (manifest.seed, manifest.precision, manifest.updates) == (1, "fp32", 60)
    assert {"python", "torch", "sentencepiece", "sacrebleu", "seq2attn"} <= manifest.versions.keys()
    assert manifest.device["device"] == "cpu"
    assert manifest.device["threads"] == 1
    assert manifest.parameters == sum(t.numel() for t in read_tensors(trained / "model" / MODEL).values())
    data = manifest.data
    assert (data.train.name, data.train.pairs) == (f"{corpus}/train", 120 - sum(data.train.dropped.values()))
    assert data.validation.pairs == 10
    assert all(len(source.fingerprint) == 64 for source in (data.train, data.validation))
    assert manifest.train_seconds > 0
    assert manifest.target_tokens_per_second > 0
    assert manifest.started <= manifest.ended


def test_a_run_directory_holds_what_it_promises(trained: Path) -> None:
    assert sorted(path.name for path in trained.iterdir()) == [
        ".lock",
        "checkpoints",
        "config.yaml",
        "limits.json",
        "manifest.json",
        "metrics.jsonl",
        "model",
        "tokenizer",
    ]
    assert sorted(path.name for path in (trained / "model").iterdir()) == [
        "README.md",
        "SHA256SUMS",
        "config.yaml",
        "joint.model",
        "limits.json",
        "model.safetensors",
    ]
    assert Run.open(trained).config == load_config(trained / "model" / "config.yaml")


def test_automatic_precision_is_resolved_once_and_saved(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out = tiny(corpus, "training.precision=auto", "training.max_updates=2"), tmp_path / "run"
    monkeypatch.setattr(module.machine, "resolve_precision", lambda wanted, device: "bf16")
    train(config, out, device="cpu")
    assert Run.open(out).manifest.precision == Run.open(out).config.training.precision == "bf16"
    monkeypatch.setattr(
        module.machine, "resolve_precision", lambda wanted, device: "fp32" if wanted == "auto" else wanted
    )
    train(config, out, device="cpu")  # another machine: the same run, not a different one


def test_a_dry_run_builds_everything_and_writes_nothing(corpus: Path, tmp_path: Path) -> None:
    text = plan_training(tiny(corpus), tmp_path / "run", device="cpu")
    assert "lstm encoder, luong decoder: " in text
    assert "parameters; 40 subwords" in text
    assert "12 updates of 1 batch of at most 120 tokens, fp32 on cpu" in text
    estimate = (
        r"(\d+) batches an epoch, so ([\d.]+) epochs; estimated from 8 of them: about .+ s .+; about .+ [MG]B of memory"
    )
    found = re.search(estimate, text)
    assert found is not None
    assert float(found[2]) == pytest.approx(12 / int(found[1]), abs=0.01)
    assert not (tmp_path / "run").exists()
