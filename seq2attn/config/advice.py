"""What is legal in a config but seldom meant: said before training, never refused."""

from collections.abc import Iterator

from seq2attn.config.attention import AttentionConfig, DotConfig, EntmaxConfig, SparsemaxConfig
from seq2attn.config.attention_rules import Problem
from seq2attn.config.model import ModelConfig


def advice(model: ModelConfig) -> Iterator[str]:
    """A line for each value that is likely a mistake."""
    for key, value, reason, hint in _doubts(model):
        yield f"key `{key}` is {value}, which {reason}; {hint}"


def _doubts(model: ModelConfig) -> Iterator[Problem]:
    for name, part in (("encoder", model.encoder), ("decoder", model.decoder)):
        if getattr(part, "positions", None) == "none":
            reason = f"leaves the {part.type} {name} without the order of words"
            yield Problem(f"model.{name}.positions", "none", reason, "sinusoidal knows it")
        for place in ("self_attention", "attention"):
            attention = getattr(part, place, None)
            if attention is not None:
                width = getattr(part, "width", model.embedding.width)
                yield from _attention(f"model.{name}.{place}", attention, width)


def _attention(key: str, attention: AttentionConfig, width: int) -> Iterator[Problem]:
    normalizer, latent = attention.normalizer, attention.latent
    sparse = isinstance(normalizer, SparsemaxConfig) or (isinstance(normalizer, EntmaxConfig) and normalizer.alpha == 2)
    if sparse and isinstance(attention.score, DotConfig):
        reason = "soon leaves one position and no gradient if products are not scaled"
        yield Problem(f"{key}.score", "dot", reason, "scaled_dot is")
    if latent is not None and latent.width is not None and latent.width >= 2 * width:
        reason = f"is no less than the {2 * width} numbers of plain keys and values"
        yield Problem(f"{key}.latent.width", latent.width, reason, "a smaller one saves memory")
