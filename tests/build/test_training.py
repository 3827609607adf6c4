"""Which parameters decay."""

import torch

from seq2attn.build.training import build_optimizer
from seq2attn.config.training import AdamWConfig
from tests.laws.systems import system


def decaying(name: str) -> tuple[set[str], set[str]]:
    """The names of the parameters that AdamW decays in that system, and of those that it does not."""
    model = system(name)
    names = {parameter: key for key, parameter in model.named_parameters()}
    groups = build_optimizer(AdamWConfig(weight_decay=0.1), model).param_groups
    assert sorted(names[p] for group in groups for p in group["params"]) == sorted(names.values())
    decayed = {names[p] for group in groups if group["weight_decay"] for p in group["params"]}
    return decayed, set(names.values()) - decayed


def test_a_learned_exponent_does_not_decay() -> None:
    decayed, spared = decaying("learned entmax heads")
    [exponent] = [name for name in decayed | spared if name.endswith("normalizer.logit")]
    assert exponent in spared


def test_matrices_decay_and_vectors_do_not() -> None:
    decayed, spared = decaying("bahdanau")
    assert "decoder.attention.score.vector" in decayed  # one row, but a matrix of a product
    assert "encoder.embedding.table.weight" in decayed
    assert "bias" in spared
    model = dict(system("bahdanau").named_parameters())
    assert all(model[name].dim() > 1 for name in decayed)
    assert all(model[name].dim() == 1 for name in spared)


def test_an_optimizer_numbers_parameters_as_0_1_0_did() -> None:
    """Its state in a checkpoint goes by that number: tensors of two axes and more first, then the others."""
    model = system("learned entmax heads")
    groups = build_optimizer(AdamWConfig(), model).param_groups
    given = [parameter for group in groups for parameter in group["params"]]
    parameters = list(model.parameters())
    expected = [p for p in parameters if p.dim() > 1] + [p for p in parameters if p.dim() <= 1]
    assert all(torch.equal(one, other) for one, other in zip(given, expected, strict=True))
