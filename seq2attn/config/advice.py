"""What is legal in a config but seldom meant: said before training, never refused."""

from collections.abc import Iterator

from seq2attn.config.attention import AttentionConfig, DotConfig, EntmaxConfig, SparsemaxConfig
from seq2attn.config.attention_rules import Problem
from seq2attn.config.model import ModelConfig


def give_advice(model: ModelConfig) -> Iterator[str]:
    """A line for each value that is likely a mistake."""
    for key, value, reason, hint in _find_doubts(model):
        yield f"key `{key}` is {value}, which {reason}; {hint}"


def _find_doubts(model: ModelConfig) -> Iterator[Problem]:
    for name, part in (("encoder", model.encoder), ("decoder", model.decoder)):
        if getattr(part, "positions", None) == "none":
            reason = f"leaves the {part.type} {name} without the order of words"
            yield Problem(f"model.{name}.positions", "none", reason, "with sinusoidal it knows the order")
    for key, attention in model.attentions():
        yield from _doubt_sparse_dot(key, attention)
        yield from _doubt_latent(key, attention, model.embedding.width)


def _doubt_sparse_dot(key: str, attention: AttentionConfig) -> Iterator[Problem]:
    normalizer = attention.normalizer
    sparse = isinstance(normalizer, SparsemaxConfig) or (isinstance(normalizer, EntmaxConfig) and normalizer.alpha == 2)
    if sparse and isinstance(attention.score, DotConfig):
        reason = "is not scaled, so that sparse weights soon leave one position and no gradient"
        yield Problem(f"{key}.score", "dot", reason, "use scaled_dot")


def _doubt_latent(key: str, attention: AttentionConfig, width: int) -> Iterator[Problem]:
    latent = attention.latent
    if latent is not None and latent.width is not None and latent.width >= 2 * width:
        reason = f"is no less than the {2 * width} numbers of plain keys and values"
        yield Problem(f"{key}.latent.width", latent.width, reason, "a smaller one saves memory")
