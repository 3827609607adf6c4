"""What the model section says reaches the network."""

import torch

from seq2attn.build.model import build_seq2seq
from seq2attn.config.model import ModelConfig
from seq2attn.models.dropout import Dropout, WordDropout
from seq2attn.models.seq2seq import Seq2Seq

PARTS = {"encoder": {"type": "lstm", "width": 8, "layers": 2}, "decoder": {"type": "gnmt", "width": 8}}


def build(**keys: object) -> Seq2Seq:
    config = ModelConfig.model_validate({"embedding": {"width": 8}} | PARTS | keys)
    return build_seq2seq(config, source_size=11, target_size=11, max_length=20)


def test_dropout_is_variational_everywhere_or_nowhere() -> None:
    for variational in (False, True):
        found = [module for module in build(variational_dropout=variational).modules() if isinstance(module, Dropout)]
        assert len(found) >= 4
        assert {module.variational for module in found} == {variational}


def test_both_sides_drop_words_at_the_same_rate() -> None:
    found = [module.rate for module in build(word_dropout=0.25).modules() if isinstance(module, WordDropout)]
    assert found == [0.25, 0.25]


def test_a_variational_model_drops_the_same_features_of_every_word() -> None:
    torch.manual_seed(1)
    network = build(variational_dropout=True, dropout=0.5)
    states = network.encoder(torch.tensor([[4, 5, 6, 7, 3]])).states
    dropped = states[0] == 0
    assert 0 < dropped[0].sum() < dropped.shape[1]
    assert torch.equal(dropped, dropped[:1].expand_as(dropped))
