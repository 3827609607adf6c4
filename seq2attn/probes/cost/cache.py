"""What a Transformer's decoder keeps in search of every token that it has written: measured, and by the formula."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from seq2attn.build.model import build_seq2seq
from seq2attn.config.model import ModelConfig
from seq2attn.models.past import Slots
from seq2attn.models.transformer_decoder import TransformerDecoder
from seq2attn.tables import Table, text_table

LAYERS, WIDTH, HEADS = 6, 512, 8  # the base size of Vaswani et al. 2017
LATENT, ROTARY = 256, 32
HEAD = WIDTH // HEADS
_HYPOTHESES, _STEPS = 2, 8

# the config section of the self-attention, and how many numbers a layer keeps of a token
VARIANTS: dict[str, tuple[dict[str, object], int]] = {
    "multi-head": ({}, 2 * HEADS * HEAD),
    "grouped (2 groups)": ({"key_value_heads": 2}, 2 * 2 * HEAD),
    "multi-query (1 group)": ({"key_value_heads": 1}, 2 * HEAD),
    "latent": ({"latent": {"width": LATENT, "rotary": ROTARY}}, LATENT + ROTARY),
}


@dataclass(frozen=True)
class TokenBytes:
    """The bytes that are kept of each target token of a hypothesis, measured and by the formula."""

    attention: str
    measured: float
    formula: int


@dataclass(frozen=True)
class CacheSizes:
    """What every kind of self-attention keeps; multi-head comes first, and the others are shares of it."""

    variants: tuple[TokenBytes, ...]

    def to_json(self) -> dict[str, Any]:
        """The decoder's size, and in `variants` bytes for each target token of a hypothesis."""
        size = {"layers": LAYERS, "width": WIDTH, "heads": HEADS, "latent_width": LATENT, "rotary_width": ROTARY}
        return size | {"variants": [asdict(variant) for variant in self.variants]}

    def to_text(self) -> str:
        """A table with a row for each kind of self-attention."""
        multi_head = self.variants[0].measured
        rows = tuple(
            (kind.attention, f"{kind.measured:,.0f}", f"{kind.formula:,}", f"{kind.measured / multi_head:.1%}")
            for kind in self.variants
        )
        return f"""\
Bytes that a Transformer's decoder keeps of each target token in search (fp32); the same on every machine.
{LAYERS} layers, width {WIDTH}, {HEADS} heads of {HEAD}. Measured: the decoder's tensors after {_STEPS} steps, without masks.
Formula: 4 bytes × layers × 2 × groups × width of a head; latent: 4 bytes × layers × ({LATENT} latent + {ROTARY} rotary).

{text_table(Table(("self-attention", "measured", "formula", "share"), rows))}"""


def measure_cache(*, seed: int) -> CacheSizes:
    """Take some steps with each kind of self-attention; which tokens are written does not matter."""
    return CacheSizes(tuple(_measure_variant(name, seed) for name in VARIANTS))


@torch.no_grad()
def _measure_variant(name: str, seed: int) -> TokenBytes:
    section, numbers = VARIANTS[name]
    heads = {"heads": HEADS}
    model = ModelConfig.model_validate(
        {
            "embedding": {"width": WIDTH},
            "encoder": {"type": "conv", "layers": 1},
            "decoder": {
                "type": "transformer",
                "layers": LAYERS,
                "feedforward": 4 * WIDTH,
                "attention": heads,
                "self_attention": heads | section,
            },
        }
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_seq2seq(model, source_size=8, target_size=8, max_length=_STEPS).eval()
    decoder = network.decoder
    assert isinstance(decoder, TransformerDecoder)
    encoded = network.encoder(torch.full((1, 3), 4))
    memory, state = decoder.remember(encoded), decoder.start(encoded, _HYPOTHESES)
    for _ in range(_STEPS):
        _, state = decoder.step(torch.full((1, _HYPOTHESES), 4), state, memory)
    return TokenBytes(name, count_bytes(state.layers) / (_HYPOTHESES * _STEPS), 4 * LAYERS * numbers)


def count_bytes(layers: Sequence[Slots]) -> int:
    """Bytes of the layers' keys and values; not of the room that is kept free for later steps."""
    return sum(part.nbytes for slots in layers for part in (slots.keys, slots.values))
