"""How fast do models train on the same number of tokens, as sentences grow longer? Recurrent steps wait for one another."""

from dataclasses import dataclass
from typing import Any

import torch

from seq2attn.build.model import build_seq2seq
from seq2attn.config.model import ModelConfig
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.probes.cost.curves import LengthCurve, format_curves
from seq2attn.probes.cost.meter import RUNS, Work, measure_seconds
from seq2attn.training.loss import sequence_loss

BATCH_TOKENS = 2048  # of the source, and as many of the target
VOCABULARY, WIDTH = 1000, 128

_LSTM = {"type": "lstm", "width": 128}
_TRANSFORMER = {"type": "transformer", "layers": 2, "feedforward": 636}
MODELS: dict[str, dict[str, object]] = {  # of 1.3 million parameters each
    "recurrent, input feeding": {"encoder": _LSTM, "decoder": {"type": "luong", "width": 256}},
    "recurrent, fused": {"encoder": _LSTM, "decoder": {"type": "luong", "width": 292, "input_feeding": False}},
    "Transformer": {"encoder": _TRANSFORMER, "decoder": _TRANSFORMER},
}


@dataclass(frozen=True)
class TrainingSpeed:
    """By sentence length: target tokens a second, a curve for each model; `parameters` has the models' sizes in that order."""

    speeds: tuple[LengthCurve, ...]
    parameters: tuple[int, ...]

    @property
    def shares(self) -> tuple[LengthCurve, ...]:
        """Each speed as a share of the same model's speed at the shortest length."""
        return tuple(
            LengthCurve(curve.name, curve.lengths, tuple(speed / curve.figures[0] for speed in curve.figures))
            for curve in self.speeds
        )

    @property
    def verdict(self) -> str:
        """How much of the speed at the shortest length is left at the greatest."""
        first, last = self.speeds[0].lengths[0], self.speeds[0].lengths[-1]
        if first == last:
            return "One length does not show how speed depends on it: give several."
        kept = "; ".join(f"{share.name} {share.figures[-1]:.0%}" for share in self.shares)
        return f"At length {last:,}, what is left of the speed at length {first:,}: {kept}."

    def to_json(self) -> dict[str, Any]:
        """`models` has for each model `tokens_per_second` and `share`, in the order of the lengths."""
        models = [
            {
                "name": speed.name,
                "parameters": parameters,
                "tokens_per_second": list(speed.figures),
                "share": list(share.figures),
            }
            for speed, share, parameters in zip(self.speeds, self.shares, self.parameters, strict=True)
        ]
        return {"batch_tokens": BATCH_TOKENS, "models": models, "verdict": self.verdict}

    def to_text(self, machine: str) -> str:
        """Two tables, a row for each model and a column for each length, and the verdict; `machine` ends their captions."""
        size = sum(self.parameters) / len(self.parameters) / 1e6
        return f"""\
Target tokens a second in training by words of a sentence: forward and backward, medians of {RUNS} runs, {machine}.
A batch has {BATCH_TOKENS:,} target tokens, or the most that whole sentences fill: the longer they are, the fewer.
Models of {size:.1f} million parameters, fp32. Recurrent: LSTM; with input feeding it goes step by step, fused in one call.

{format_curves("tokens/s", self.speeds, "{:,.0f}".format, slopes=False)}

The same speeds as shares of the model's speed at the shortest length, {machine}.

{format_curves("share", self.shares, "{:.2f}".format, slopes=False)}

{self.verdict}"""


def measure_training(lengths: tuple[int, ...], *, device: torch.device, seed: int) -> TrainingSpeed:
    """Train every model on a batch of sentences of every length; all take turns."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        models = {name: build_model(name, max(lengths)).to(device) for name in MODELS}
        batches = [torch.randint(4, VOCABULARY, (BATCH_TOKENS // n, n)).to(device) for n in lengths]
    works = [_make_update(model, batch) for model in models.values() for batch in batches]
    seconds = iter(measure_seconds(works, device))
    speeds = {name: tuple(batch.numel() / next(seconds) for batch in batches) for name in models}
    return TrainingSpeed(
        tuple(LengthCurve(name, lengths, speed) for name, speed in speeds.items()),
        tuple(model.parameter_count for model in models.values()),
    )


def build_model(name: str, max_length: int) -> Seq2Seq:
    """The model of that name in training mode, without dropout."""
    section = ModelConfig.model_validate({"embedding": {"width": WIDTH}, "dropout": 0.0, **MODELS[name]})
    return build_seq2seq(section, source_size=VOCABULARY, target_size=VOCABULARY, max_length=max_length).train()


def _make_update(model: Seq2Seq, batch: torch.Tensor) -> Work:
    """One forward and backward pass; source and target are the same words, which takes as long as with others."""

    def work() -> None:
        sequence_loss(model(batch, batch), model.output, model.bias, batch).smoothed.backward()
        model.zero_grad()

    return work
