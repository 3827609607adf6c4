"""The deep decoder against a loop over its equations."""

import pytest
import torch

from seq2attn.attention import Additive, Attention, AttentionModule, Global, Marginal, expectation, softmax
from seq2attn.models.dropout import Dropout
from seq2attn.models.embedding import Embedding, token_embedding
from seq2attn.models.gnmt_decoder import GnmtDecoder
from seq2attn.models.seq2seq import Encoded

B, S, T, STATES, EMBEDDED, WIDTH = 2, 4, 3, 5, 4, 6


def one_head() -> Attention:
    score = Additive(query_width=WIDTH, key_width=STATES, width=WIDTH)
    return Attention(
        score=score,
        span=Global(),
        normalizer=softmax,
        aggregation=expectation,
        context_width=STATES,
        temporal=False,
        dropout=0.0,
    )


def decoder(*, layers: int = 3, residual: bool, attention: AttentionModule | None = None) -> GnmtDecoder:
    torch.manual_seed(3)
    return GnmtDecoder(
        Embedding(token_embedding(9, EMBEDDED), dropout=0.0),
        attention=attention or one_head(),
        final_width=STATES,
        width=WIDTH,
        layers=layers,
        residual=residual,
        dropout=0.0,
    ).double()


def encoded() -> Encoded:
    torch.manual_seed(4)
    states = torch.randn(B, S, STATES, dtype=torch.float64)
    return Encoded(states, torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]).bool(), states[:, 0])


@pytest.mark.parametrize("residual", [False, True])
def test_the_first_layer_asks_and_the_others_hear_the_answer(residual: bool) -> None:
    own, source, tokens = decoder(residual=residual), encoded(), torch.tensor([[1, 5, 6], [1, 7, 8]])
    initial = own.bridge(source.final)
    embedded = own.embedding(tokens)
    score = own.attention.score
    assert isinstance(score, Additive)
    hidden = [initial.hidden[:, layer] for layer in range(3)]
    cell = [initial.cell[:, layer] for layer in range(3)]

    def move(layer: int, inputs: torch.Tensor) -> torch.Tensor:
        lstm = own.layers[layer]
        _, (h, c) = lstm(inputs[:, None], (hidden[layer][None], cell[layer][None]))
        hidden[layer], cell[layer] = h[0], c[0]
        return hidden[layer]

    expected = []
    for step in range(T):
        below = move(0, embedded[:, step])
        scores = score(below[:, None], score.keys(source.states))[:, 0].masked_fill(~source.mask, -torch.inf)
        context = torch.einsum("bs,bsd->bd", scores.softmax(1), source.states)
        for layer in (1, 2):
            above = move(layer, torch.cat([below, context], 1))
            below = above + below if residual else above
        expected.append(torch.tanh(own.readout(torch.cat([below, context], 1))))
    torch.testing.assert_close(own(tokens, source), torch.stack(expected, 1))


def test_dropout_acts_on_the_states_and_the_features_in_training() -> None:
    own, source, tokens = decoder(residual=True), encoded(), torch.tensor([[1, 5, 6], [1, 7, 8]])
    own.dropout = Dropout(0.5)
    assert not torch.equal(own(tokens, source), own(tokens, source))
    assert torch.equal(own.eval()(tokens, source), own(tokens, source))


def test_what_it_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="a layer above it"):
        decoder(layers=1, residual=True)
    with pytest.raises(ValueError, match="mixture"):
        decoder(residual=True, attention=Marginal(one_head(), top_k=2))
