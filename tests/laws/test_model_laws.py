"""Laws 1, 2, 3, 6, 7 and 8, which every combination of encoder, decoder and attention obeys."""

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from seq2attn.attention import Attention, AttentionOutput, Memory, MultiHead
from seq2attn.models.seq2seq import BOS, PAD, Seq2Seq
from seq2attn.tensors import Tree, map_tree, select
from seq2attn.training.loss import cross_entropy
from tests.laws.systems import MODELS, sentences, system

EXACT = {"rtol": 0.0, "atol": 1e-10}
every_model = pytest.mark.parametrize("name", MODELS)


def steps(model: Seq2Seq, source: Tensor, target: Tensor) -> Tensor:
    """Features of every step, one step at a time."""
    encoded = model.encoder(source)
    memory, state = model.decoder.remember(encoded), model.decoder.start(encoded, 1)
    token, features = torch.full_like(target[:, :1], BOS), []
    for step in range(target.shape[1]):
        output, state = model.decoder.step(token, state, memory)
        features.append(output)
        token = target[:, step : step + 1]
    return torch.cat(features, 1)


@every_model
def test_padding_and_batch_composition_are_invisible(name: str) -> None:
    model = system(name)
    lengths, targets = [4, 1, 9], [5, 2, 7]
    together = model(sentences(lengths, padding=3), sentences(targets, padding=2))
    for row, (length, target_length) in enumerate(zip(lengths, targets, strict=True)):
        source = sentences(lengths)[row : row + 1, :length]
        target = sentences(targets)[row : row + 1, :target_length]
        torch.testing.assert_close(model(source, target)[0], together[row, :target_length], **EXACT)


@every_model
def test_teacher_forcing_equals_stepping(name: str) -> None:
    model = system(name)
    source, target = sentences([3, 8, 5], padding=1), sentences([6, 2, 4])
    torch.testing.assert_close(model(source, target), steps(model, source, target), **EXACT)


@every_model
def test_gradients_of_teacher_forcing_equal_those_of_stepping_through_autograd(name: str) -> None:
    model = system(name)
    source, target = sentences([3, 6], padding=1), sentences([5, 5])
    model(source, target).square().sum().backward()
    fused = {key: p.grad.clone() for key, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    steps(model, source, target).square().sum().backward()
    for key, parameter in model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(fused[key], parameter.grad, rtol=1e-9, atol=1e-9, msg=key)


@every_model
def test_select_commutes_with_step(name: str) -> None:
    model = system(name)
    encoded = model.encoder(sentences([4, 6], padding=1))
    memory = model.decoder.remember(encoded)
    tokens = torch.tensor([[4, 5, 6], [7, 8, 9]])
    parents = torch.tensor([[2, 0, 0], [1, 1, 2]])
    _, state = model.decoder.step(tokens, model.decoder.start(encoded, 3), memory)
    features, after = model.decoder.step(tokens.flip(1), state, memory)
    chosen, chosen_after = model.decoder.step(tokens.flip(1).gather(1, parents), select(state, parents), memory)
    torch.testing.assert_close(chosen, select(features, parents), **EXACT)
    for a, b in zip(leaves(chosen_after), leaves(select(after, parents)), strict=True):
        torch.testing.assert_close(a, b, **EXACT)


@every_model
def test_later_target_tokens_do_not_matter(name: str) -> None:
    model = system(name)
    source, target = sentences([5, 3]), sentences([7, 7])
    changed = target.clone()
    changed[:, 4:] = 4
    torch.testing.assert_close(model(source, target)[:, :5], model(source, changed)[:, :5], **EXACT)
    assert not torch.allclose(model(source, target)[:, 5:], model(source, changed)[:, 5:])


@every_model
def test_the_source_matters(name: str) -> None:
    model = system(name)
    source, target = sentences([5]), sentences([4])
    changed = source.clone()
    changed[0, 2] = 4 if source[0, 2] != 4 else 5
    assert not torch.allclose(model(source, target), model(changed, target))


class Call(NamedTuple):
    """One use of an attention inside a model."""

    attention: nn.Module
    query: Tensor
    memory: Memory
    positions: Tensor | None
    context: Tensor


def attention_calls(model: Seq2Seq) -> list[Call]:
    """Every attention that a forward pass of `model` uses, with what it was given."""
    calls: list[Call] = []

    def record(module: nn.Module, arguments: tuple[Any, ...], output: AttentionOutput) -> None:
        query, memory, *rest = arguments
        calls.append(Call(module, query, memory, rest[0] if rest else None, output.context))

    attentions = [module for module in model.modules() if isinstance(module, Attention | MultiHead)]
    hooks = [module.register_forward_hook(record) for module in attentions]
    model(sentences([2, 7], padding=2), sentences([5, 3]))
    for hook in hooks:
        hook.remove()
    return calls


@every_model
def test_weights_sum_to_one_over_legal_positions_and_are_zero_elsewhere(name: str) -> None:
    for call in attention_calls(system(name)):
        weights = call.attention(call.query, call.memory, call.positions, trace=True).weights
        one_head = getattr(call.attention, "attention", call.attention)
        legal = one_head.span(call.query[:, None], call.memory.mask, call.positions).legal.expand_as(weights)
        assert (weights >= 0).all()
        assert (weights[~legal] == 0).all()
        torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]), **EXACT)


@every_model
def test_asking_for_a_trace_changes_nothing(name: str) -> None:
    for call in attention_calls(system(name)):
        traced = call.attention(call.query, call.memory, call.positions, trace=True)
        torch.testing.assert_close(traced.context, call.context, **EXACT)


@every_model
def test_accumulated_batches_equal_one_large_batch(name: str) -> None:
    model = system(name)
    source, target = sentences([4, 6, 3, 5]), sentences([5, 3, 6, 2])

    def gradients(parts: list[slice]) -> dict[str, Tensor]:
        model.zero_grad(set_to_none=True)
        for part in parts:
            real = target[part] != PAD
            features = model(source[part], target[part])[real]
            loss = cross_entropy(features, model.output, model.bias, target[part][real], smoothing=0.1).smoothed
            (loss / (target != PAD).sum()).backward()
        return {key: p.grad for key, p in model.named_parameters() if p.grad is not None}

    whole, parts = gradients([slice(None)]), gradients([slice(0, 1), slice(1, 4)])
    for key, gradient in whole.items():
        torch.testing.assert_close(parts[key], gradient, **EXACT, msg=key)


def leaves(tree: Tree) -> list[Tensor]:
    """The tensors of a tree."""
    found: list[Tensor] = []
    map_tree(lambda leaf: found.append(leaf) or leaf, tree)
    return found
