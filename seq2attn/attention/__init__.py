"""Attention as a composition: score → span → normalizer → weights → aggregation."""

from seq2attn.attention.adaptive import Adaptive, Sentinel
from seq2attn.attention.aggregation import Aggregation, Choice, expectation
from seq2attn.attention.attention import Attention, AttentionModule, AttentionOutput, Memory
from seq2attn.attention.hops import Hops
from seq2attn.attention.local import LocalMonotonic, LocalPredictive
from seq2attn.attention.multihead import MultiHead
from seq2attn.attention.normalizers import Normalizer, softmax
from seq2attn.attention.scores import Additive, Dot, General, Score
from seq2attn.attention.segments import Segments
from seq2attn.attention.spans import Causal, Focus, Global, Span, Strided, Window

__all__ = [
    "Adaptive",
    "Additive",
    "Aggregation",
    "Attention",
    "AttentionModule",
    "AttentionOutput",
    "Causal",
    "Choice",
    "Dot",
    "Focus",
    "General",
    "Global",
    "Hops",
    "LocalMonotonic",
    "LocalPredictive",
    "Memory",
    "MultiHead",
    "Normalizer",
    "Score",
    "Segments",
    "Sentinel",
    "Span",
    "Strided",
    "Window",
    "expectation",
    "softmax",
]
