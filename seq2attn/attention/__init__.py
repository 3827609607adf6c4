"""Attention as a composition: score → span → normalizer → weights → weighted sum."""

from seq2attn.attention.attention import Attention, AttentionModule, AttentionOutput, Memory
from seq2attn.attention.multihead import MultiHead
from seq2attn.attention.normalizers import Normalizer, softmax
from seq2attn.attention.scores import Additive, Dot, General, Score
from seq2attn.attention.spans import Causal, Global, Span

__all__ = [
    "Additive",
    "Attention",
    "AttentionModule",
    "AttentionOutput",
    "Causal",
    "Dot",
    "General",
    "Global",
    "Memory",
    "MultiHead",
    "Normalizer",
    "Score",
    "Span",
    "softmax",
]
