"""What a Transformer's decoder keeps of every token that it has written: measured, and as the formula says."""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from seq2attn.attention import Memory
from seq2attn.build.model import build_seq2seq
from seq2attn.config.model import ModelConfig
from seq2attn.models.transformer_decoder import TransformerDecoder
from seq2attn.tables import Table, text_table

LAYERS, WIDTH, HEADS = 6, 512, 8  # the base size of Vaswani et al. 2017
LATENT, ROTARY = 256, 32
HEAD = WIDTH // HEADS
_HYPOTHESES, _STEPS = 2, 8

# the self-attention's section, and the numbers that a layer keeps of a token
VARIANTS: dict[str, tuple[dict[str, object], int]] = {
    "multi-head": ({}, 2 * HEADS * HEAD),
    "grouped (2 groups)": ({"key_value_heads": 2}, 2 * 2 * HEAD),
    "multi-query (1 group)": ({"key_value_heads": 1}, 2 * HEAD),
    "latent": ({"latent": {"width": LATENT, "rotary": ROTARY}}, LATENT + ROTARY),
}


@dataclass(frozen=True)
class Kept:
    """Bytes for each target token of a hypothesis."""

    attention: str
    measured: float
    formula: int


@dataclass(frozen=True)
class Cache:
    """What every variant keeps; multi-head comes first."""

    variants: tuple[Kept, ...]

    def to_json(self) -> dict[str, Any]:
        """All figures."""
        size = {"layers": LAYERS, "width": WIDTH, "heads": HEADS, "latent_width": LATENT, "rotary_width": ROTARY}
        return size | {"variants": [asdict(each) for each in self.variants]}

    def to_text(self) -> str:
        """For a terminal."""
        whole = self.variants[0].measured
        rows = tuple(
            (each.attention, f"{each.measured:,.0f}", f"{each.formula:,}", f"{each.measured / whole:.1%}")
            for each in self.variants
        )
        return f"""\
Bytes that a Transformer's decoder keeps of each target token in search (fp32); they depend on no machine.
{LAYERS} layers, width {WIDTH}, {HEADS} heads of {HEAD}. Measured: the decoder's tensors after {_STEPS} steps, without masks.
Formula: 4 bytes × layers × 2 × groups × width of a head; latent: 4 bytes × layers × ({LATENT} latent + {ROTARY} rotary).

{text_table(Table(("self-attention", "measured", "formula", "share"), rows))}"""


def measure(*, seed: int) -> Cache:
    """Take the steps with every variant; the tokens do not matter."""
    return Cache(tuple(_kept(name, seed) for name in VARIANTS))


@torch.no_grad()
def _kept(name: str, seed: int) -> Kept:
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
        whole = build_seq2seq(model, source_size=8, target_size=8, max_length=_STEPS).eval()
    decoder = whole.decoder
    assert isinstance(decoder, TransformerDecoder)
    encoded = whole.encoder(torch.full((1, 3), 4))
    memory, state = decoder.remember(encoded), decoder.start(encoded, _HYPOTHESES)
    for _ in range(_STEPS):
        _, state = decoder.step(torch.full((1, _HYPOTHESES), 4), state, memory)
    return Kept(name, stored(state) / (_HYPOTHESES * _STEPS), 4 * LAYERS * numbers)


def stored(layers: tuple[Memory, ...]) -> int:
    """Bytes of all that lies behind the layers' keys and values, shared storage counted once."""
    storages = [part.untyped_storage() for each in layers for part in (each.keys, each.values)]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
