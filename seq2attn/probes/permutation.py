"""Does an encoder know the order of its words? Permute them, and see whether anything but the order changes."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from seq2attn.attention import Attention, Dot, Global, Request, softmax
from seq2attn.build.model import build_seq2seq
from seq2attn.config.model import ModelConfig
from seq2attn.models.seq2seq import Encoder
from seq2attn.tables import Table, text_table
from seq2attn.tensors import reorder

TOLERANCE = 1e-12  # differences up to here are rounding, in fp64
SENTENCES, WORDS, VOCABULARY, WIDTH = 16, 12, 100, 16

_TRANSFORMER = {"type": "transformer", "layers": 2, "feedforward": 32}
ENCODERS: dict[str, dict[str, object]] = {
    "Transformer, no positions": _TRANSFORMER | {"positions": "none"},
    "Transformer, sinusoidal positions": _TRANSFORMER | {"positions": "sinusoidal"},
    "convolutions, no positions": {"type": "conv", "layers": 2, "positions": "none"},
    "bidirectional LSTM": {"type": "lstm", "width": WIDTH // 2},
}


@dataclass(frozen=True)
class Difference:
    """The largest differences that permuting the words made: of the state of a word to the state that it had before, and
    of the context that a query finds to the one that it found before."""

    encoder: str
    states: float
    context: float

    @property
    def verdict(self) -> str:
        """What the two numbers say."""
        equivariant, invariant = self.states <= TOLERANCE, self.context <= TOLERANCE
        return (
            f"states {'' if equivariant else 'not '}equivariant, context {'' if invariant else 'not '}invariant: "
            f"{'blind to word order' if equivariant and invariant else 'word order counts'}"
        )


@dataclass(frozen=True)
class Permutation:
    """What every encoder did."""

    seed: int
    encoders: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """All figures, and their verdicts."""
        found = [asdict(each) | {"verdict": each.verdict} for each in self.encoders]
        return {"seed": self.seed, "tolerance": TOLERANCE, "encoders": found}

    def to_text(self) -> str:
        """For a terminal."""
        header = ("encoder", "states", "context")
        rows = tuple((e.encoder, f"{e.states:.1e}", f"{e.context:.1e}") for e in self.encoders)
        verdicts = "\n".join(f"{each.encoder}: {each.verdict}." for each in self.encoders)
        return f"""\
Encoders with random weights read {SENTENCES} sentences of {WORDS} words, and the same words in another order (fp64).
States: the largest change of any word's state. Context: the largest change of what a query from outside finds.

{text_table(Table(header, rows))}

{verdicts}"""


def measure(*, seed: int) -> Permutation:
    """Random sentences, weights and queries, all from `seed`."""
    return Permutation(seed, tuple(_difference(name, seed) for name in ENCODERS))


@torch.no_grad()
def _difference(name: str, seed: int) -> Difference:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        words = torch.randint(4, VOCABULARY, (SENTENCES, WORDS))
        orders = torch.rand(SENTENCES, WORDS).argsort(1)
        query = torch.randn(SENTENCES, 1, WIDTH, dtype=torch.float64)
        encoder = _encoder(name)
    before, after = encoder(words), encoder(words.gather(1, orders))
    attention = Attention(score=Dot(scale=WIDTH**-0.5), span=Global(), normalizer=softmax, context_width=WIDTH)
    found, again = (
        attention(Request(query), attention.remember(e.states, e.mask, e.values)).context for e in (before, after)
    )
    return Difference(name, _largest(after.states - reorder(before.states, orders)), _largest(again - found))


def _encoder(name: str) -> Encoder:
    model = ModelConfig.model_validate(
        {"embedding": {"width": WIDTH}, "encoder": ENCODERS[name], "decoder": {"type": "luong"}}
    )
    whole = build_seq2seq(model, source_size=VOCABULARY, target_size=VOCABULARY, max_length=WORDS)
    return whole.double().eval().encoder


def _largest(difference: Tensor) -> float:
    return float(difference.abs().max())
