"""How fast do models train on the same number of tokens, as sentences grow longer? Recurrent steps wait for one another."""

from dataclasses import dataclass
from typing import Any

import torch

from seq2attn.build.model import build_seq2seq
from seq2attn.config.model import ModelConfig
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.probes.cost.curves import Curve, curves_text
from seq2attn.probes.cost.meter import RUNS, Work, median_seconds
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
class Training:
    """Target tokens a second by sentence length, and the models' parameters in the order of the curves."""

    speeds: tuple[Curve, ...]
    parameters: tuple[int, ...]

    @property
    def shares(self) -> tuple[Curve, ...]:
        """Each speed over the same model's at the shortest length."""
        return tuple(
            Curve(each.name, each.lengths, tuple(speed / each.figures[0] for speed in each.figures))
            for each in self.speeds
        )

    @property
    def verdict(self) -> str:
        """What is left of the speed at the greatest length."""
        first, last = self.speeds[0].lengths[0], self.speeds[0].lengths[-1]
        if first == last:
            return "One length does not show how speed depends on it: give several."
        kept = "; ".join(f"{share.name} {share.figures[-1]:.0%}" for share in self.shares)
        return f"At length {last:,}, what is left of the speed at length {first:,}: {kept}."

    def to_json(self) -> dict[str, Any]:
        """All figures."""
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
        """For a terminal."""
        size = sum(self.parameters) / len(self.parameters) / 1e6
        return f"""\
Target tokens a second in training by words of a sentence: forward and backward, medians of {RUNS} runs, {machine}.
A batch has {BATCH_TOKENS:,} target tokens, or the most that whole sentences fill: the longer they are, the fewer.
Models of {size:.1f} million parameters, fp32. Recurrent: LSTM; with input feeding it goes step by step, fused in one call.

{curves_text("tokens/s", self.speeds, "{:,.0f}".format, slopes=False)}

The same speeds as shares of each model's own at the shortest length, {machine}.

{curves_text("share", self.shares, "{:.2f}".format, slopes=False)}

{self.verdict}"""


def measure(lengths: tuple[int, ...], *, where: torch.device, seed: int) -> Training:
    """Every model at every length; all cases take turns."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        models = {name: model(name, max(lengths)).to(where) for name in MODELS}
        batches = [torch.randint(4, VOCABULARY, (BATCH_TOKENS // n, n)).to(where) for n in lengths]
    works = [_update(model, batch) for model in models.values() for batch in batches]
    seconds = iter(median_seconds(works, where))
    speeds = {name: tuple(batch.numel() / next(seconds) for batch in batches) for name in models}
    return Training(
        tuple(Curve(name, lengths, speed) for name, speed in speeds.items()),
        tuple(each.parameter_count for each in models.values()),
    )


def model(name: str, max_length: int) -> Seq2Seq:
    """A model in training, without dropout."""
    section = ModelConfig.model_validate({"embedding": {"width": WIDTH}, "dropout": 0.0, **MODELS[name]})
    return build_seq2seq(section, source_size=VOCABULARY, target_size=VOCABULARY, max_length=max_length).train()


def _update(model: Seq2Seq, batch: torch.Tensor) -> Work:
    """Forward and backward; source and target are the same words, which costs what others do."""

    def work() -> None:
        sequence_loss(model(batch, batch), model.output, model.bias, batch).smoothed.backward()
        model.zero_grad()

    return work
