"""Attention as a composition: score → span → normalizer → weights → aggregation."""

from seq2attn.attention.adaptive import Adaptive, Sentinel
from seq2attn.attention.aggregation import (
    Aggregated,
    Aggregation,
    Choice,
    Elbo,
    Gumbel,
    Mixture,
    Reinforce,
    expectation,
)
from seq2attn.attention.attention import (
    Attention,
    AttentionModule,
    AttentionOutput,
    History,
    Memory,
    Request,
    SelfAttention,
)
from seq2attn.attention.hops import Hops
from seq2attn.attention.latent import Latent
from seq2attn.attention.local import LocalMonotonic, LocalPredictive
from seq2attn.attention.marginal import Marginal
from seq2attn.attention.multihead import MultiHead
from seq2attn.attention.normalizers import Entmax, LearnedEntmax, Normalizer, Softmax, softmax, sparsemax
from seq2attn.attention.scores import Additive, Dot, General, Location, Score, Uniform
from seq2attn.attention.segments import Segments
from seq2attn.attention.spans import Causal, Focus, Global, Span, Strided, Window

__all__ = [
    "Adaptive",
    "Additive",
    "Aggregated",
    "Aggregation",
    "Attention",
    "AttentionModule",
    "AttentionOutput",
    "Causal",
    "Choice",
    "Dot",
    "Elbo",
    "Entmax",
    "Focus",
    "General",
    "Global",
    "Gumbel",
    "History",
    "Hops",
    "Latent",
    "LearnedEntmax",
    "LocalMonotonic",
    "LocalPredictive",
    "Location",
    "Marginal",
    "Memory",
    "Mixture",
    "MultiHead",
    "Normalizer",
    "Reinforce",
    "Request",
    "Score",
    "Segments",
    "SelfAttention",
    "Sentinel",
    "Softmax",
    "Span",
    "Strided",
    "Uniform",
    "Window",
    "expectation",
    "softmax",
    "sparsemax",
]
