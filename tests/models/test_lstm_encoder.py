"""The recurrent encoder against PyTorch's LSTM on packed sentences."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2attn.models.embedding import Embedding, token_embedding
from seq2attn.models.lstm_encoder import LstmEncoder

WIDTH, EMBEDDED = 3, 4
SOURCE = torch.tensor([[4, 5, 6, 3, 0], [7, 3, 0, 0, 0], [8, 9, 4, 5, 3]])
LENGTHS = torch.tensor([4, 2, 5])
EXACT = {"rtol": 0.0, "atol": 1e-12}


def encoder(*, layers: int = 1, bidirectional: bool = True, reverse_source: bool = False) -> LstmEncoder:
    torch.manual_seed(2)
    embedding = Embedding(token_embedding(11, EMBEDDED), dropout=0.0)
    options = {"bidirectional": bidirectional, "reverse_source": reverse_source}
    made = LstmEncoder(embedding, width=WIDTH, layers=layers, **options).double()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.5)
    return made


def packed(own: LstmEncoder, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """States and last hidden states of PyTorch's LSTM with the same weights."""
    two = own.backwards is not None
    theirs = nn.LSTM(EMBEDDED, WIDTH, len(own.forwards), batch_first=True, bidirectional=two).double()
    for suffix, ways in (("", own.forwards), ("_reverse", own.backwards or [])):
        for layer, way in enumerate(ways):
            for name, parameter in way.named_parameters():
                getattr(theirs, name.replace("l0", f"l{layer}{suffix}")).data = parameter.data
    together = pack_padded_sequence(inputs, LENGTHS, batch_first=True, enforce_sorted=False)
    states, (last, _) = theirs(together)
    return pad_packed_sequence(states, batch_first=True)[0], last[-2 if two else -1 :].transpose(0, 1).flatten(1)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_states_and_last_vector_are_pytorchs(layers: int, bidirectional: bool) -> None:
    own = encoder(layers=layers, bidirectional=bidirectional)
    found, (states, last) = own(SOURCE), packed(own, own.embedding(SOURCE))
    torch.testing.assert_close(found.states[found.mask], states[found.mask], **EXACT)
    torch.testing.assert_close(found.final, last, **EXACT)


def test_in_one_direction_the_final_vector_is_the_last_state() -> None:
    found = encoder(bidirectional=False)(SOURCE)
    assert torch.equal(found.final, found.states[torch.arange(3), LENGTHS - 1])


def test_a_reversed_source_keeps_its_end_last() -> None:
    backwards = torch.tensor([[6, 5, 4, 3, 0], [7, 3, 0, 0, 0], [5, 4, 9, 8, 3]])
    plain, reverse = encoder(bidirectional=False), encoder(bidirectional=False, reverse_source=True)
    found, expected = reverse(SOURCE), plain(backwards)
    torch.testing.assert_close(found.final, expected.final, **EXACT)
    torch.testing.assert_close(found.states[0, :4], expected.states[0, [2, 1, 0, 3]], **EXACT)  # each beside its word


def test_a_residual_layer_adds_what_it_has_read() -> None:
    torch.manual_seed(2)
    embedding = Embedding(token_embedding(11, EMBEDDED), dropout=0.0)
    own = LstmEncoder(embedding, width=WIDTH, layers=3, bidirectional=True, residual=True).double()
    source = torch.tensor([[4, 9, 5, 3]])
    states = own.embedding(source)
    for layer, (right, left) in enumerate(zip(own.forwards, own.backwards or (), strict=True)):
        read = torch.cat([right(states)[0], left(states.flip(1))[0].flip(1)], 2)
        states = read + states if layer else read
    torch.testing.assert_close(own(source).states, states)
