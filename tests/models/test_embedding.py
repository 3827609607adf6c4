import pytest
import torch

from seq2attn.errors import DataError
from seq2attn.models.embedding import Embedding, Learned, Sinusoidal, token_embedding

TOKENS = torch.tensor([[4, 5, 0], [6, 3, 7]])


def test_sinusoids_are_the_published_ones() -> None:
    encodings = Sinusoidal(4)(torch.tensor([0, 1, 2]))
    assert encodings[0].tolist() == [0, 1, 0, 1]
    assert encodings[1].tolist() == pytest.approx([0.841471, 0.540302, 0.010000, 0.999950], abs=5e-7)
    assert encodings[2].tolist() == pytest.approx([0.909297, -0.416147, 0.019999, 0.999800], abs=5e-7)


def test_the_product_of_two_sinusoids_depends_on_their_distance_alone() -> None:
    encodings = Sinusoidal(16).double()(torch.arange(300))
    products = encodings @ encodings.T
    for distance in (1, 17, 200):
        line = products.diagonal(distance)
        torch.testing.assert_close(line, line[:1].expand_as(line), rtol=0, atol=1e-5)


def test_sinusoids_need_an_even_width() -> None:
    with pytest.raises(ValueError, match="even width, not 5"):
        Sinusoidal(5)


def test_a_fresh_table_has_a_zero_padding_row_and_its_variance() -> None:
    torch.manual_seed(1)
    table = token_embedding(500, 64).weight.detach()
    assert (table[0] == 0).all()
    assert table[1:].std().item() == pytest.approx(1 / 8, rel=0.03)
    assert table[1:].mean().item() == pytest.approx(0, abs=0.003)


def test_an_embedding_is_the_scaled_row_and_the_position() -> None:
    torch.manual_seed(1)
    table = token_embedding(9, 4)
    sinusoids = Sinusoidal(4)
    embedded = Embedding(table, dropout=0.5, positions=sinusoids).eval()(TOKENS, start=3)
    expected = 2 * table.weight[TOKENS] + sinusoids(torch.tensor([3, 4, 5])).float()
    torch.testing.assert_close(embedded, expected)
    assert torch.equal(Embedding(table, dropout=0.5).eval()(TOKENS), 2 * table.weight[TOKENS])


def test_dropout_acts_in_training() -> None:
    embedding = Embedding(token_embedding(9, 4), dropout=0.5)
    assert (embedding(TOKENS)[1] == 0).any()
    assert (embedding.eval()(TOKENS)[1] != 0).all()


def test_learned_positions_are_rows_of_their_table() -> None:
    learned = Learned(4, 6)
    assert torch.equal(learned(torch.tensor([2, 3])), learned.table[2:4])
    assert learned.table.requires_grad


def test_a_position_beyond_the_learned_ones_says_what_to_do() -> None:
    embedding = Embedding(token_embedding(9, 4), dropout=0.0, positions=Learned(4, 3))
    embedding(TOKENS)
    with pytest.raises(DataError, match="more than 3 subwords") as caught:
        embedding(TOKENS, start=1)
    assert "sinusoidal" in caught.value.hint
