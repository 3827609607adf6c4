"""Laws 1, 2, 3, 6, 7 and 8, which every combination of encoder, decoder and attention obeys."""

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from seq2attn.attention import (
    Adaptive,
    Attention,
    AttentionOutput,
    Hops,
    Latent,
    Marginal,
    Memory,
    MultiHead,
    Segments,
)
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.tensors import Tree, map_tree, select
from seq2attn.tokens import BOS, PAD
from seq2attn.training.loss import sequence_loss
from tests.laws.systems import DEVICE, MODELS, sentences, system

EXACT = {"rtol": 0.0, "atol": 1e-10}
every_model = pytest.mark.parametrize("name", MODELS)


def at_once(model: Seq2Seq, source: Tensor, target: Tensor) -> Tensor:
    """log p of every token at every step "B T V", by teacher forcing."""
    return model.logits(model(source, target)).log_softmax(-1)


def steps(model: Seq2Seq, source: Tensor, target: Tensor) -> Tensor:
    """The same, one step at a time."""
    encoded = model.encoder(source)
    memory, state = model.decoder.remember(encoded), model.decoder.start(encoded, 1)
    token, found = torch.full_like(target[:, :1], BOS), []
    for step in range(target.shape[1]):
        features, state = model.decoder.step(token, state, memory)
        found.append(model.logits(features).log_softmax(-1))
        token = target[:, step : step + 1]
    return torch.cat(found, 1)


@every_model
def test_padding_and_batch_composition_are_invisible(name: str) -> None:
    model = system(name)
    lengths, targets = [4, 1, 9], [5, 2, 7]
    together = at_once(model, sentences(lengths, padding=3), sentences(targets, padding=2))
    for row, (length, target_length) in enumerate(zip(lengths, targets, strict=True)):
        source = sentences(lengths)[row : row + 1, :length]
        target = sentences(targets)[row : row + 1, :target_length]
        torch.testing.assert_close(at_once(model, source, target)[0], together[row, :target_length], **EXACT)


@every_model
def test_teacher_forcing_equals_stepping(name: str) -> None:
    model = system(name)
    source, target = sentences([3, 8, 5], padding=1), sentences([6, 2, 4])
    torch.testing.assert_close(at_once(model, source, target), steps(model, source, target), **EXACT)


@every_model
def test_gradients_of_teacher_forcing_equal_those_of_stepping_through_autograd(name: str) -> None:
    model = system(name)
    source, target = sentences([3, 6], padding=1), sentences([5, 5])
    at_once(model, source, target).square().sum().backward()
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
    tokens = torch.tensor([[4, 5, 6], [7, 8, 9]], device=DEVICE)
    parents = torch.tensor([[2, 0, 0], [1, 1, 2]], device=DEVICE)
    _, state = model.decoder.step(tokens, model.decoder.start(encoded, 3), memory)
    features, after = model.decoder.step(tokens.flip(1), state, memory)
    chosen, chosen_after = model.decoder.step(tokens.flip(1).gather(1, parents), select(state, parents), memory)
    torch.testing.assert_close(model.logits(chosen), model.logits(select(features, parents)), **EXACT)
    for a, b in zip(leaves(chosen_after), leaves(select(after, parents)), strict=True):
        torch.testing.assert_close(a, b, **EXACT)
    later, _ = model.decoder.step(tokens, chosen_after, memory)
    expected, _ = model.decoder.step(tokens, select(after, parents), memory)
    torch.testing.assert_close(model.logits(later), model.logits(expected), **EXACT)


@every_model
def test_later_target_tokens_do_not_matter(name: str) -> None:
    model = system(name)
    source, target = sentences([5, 3]), sentences([7, 7])
    changed = target.clone()
    changed[:, 4:] = 4
    torch.testing.assert_close(at_once(model, source, target)[:, :5], at_once(model, source, changed)[:, :5], **EXACT)
    assert not torch.allclose(at_once(model, source, target)[:, 5:], at_once(model, source, changed)[:, 5:])


@every_model
def test_the_source_matters(name: str) -> None:
    model = system(name)
    source, target = sentences([5]), sentences([4])
    changed = source.clone()
    changed[0, 2] = 4 if source[0, 2] != 4 else 5
    assert not torch.allclose(at_once(model, source, target), at_once(model, changed, target))


ATTENTIONS = (Adaptive, Attention, Hops, Latent, Marginal, MultiHead, Segments)


class Call(NamedTuple):
    """One use of an attention inside a model."""

    attention: nn.Module
    arguments: tuple[Any, ...]
    output: AttentionOutput

    def traced(self) -> AttentionOutput:
        """The same again, with its weights."""
        request, memory = self.arguments
        return self.attention(request._replace(trace=True), memory)


def attention_calls(model: Seq2Seq) -> list[Call]:
    """Every attention that a forward pass of `model` uses, with what it was given."""
    calls: list[Call] = []
    attentions = [module for module in model.modules() if isinstance(module, ATTENTIONS)]
    hooks = [module.register_forward_hook(lambda *call: calls.append(Call(*call))) for module in attentions]
    model(sentences([2, 7], padding=2), sentences([5, 3]))
    for hook in hooks:
        hook.remove()
    return calls


@every_model
def test_weights_sum_to_one_and_are_zero_at_padding(name: str) -> None:
    for call in attention_calls(system(name)):
        output, memory = call.traced(), call.arguments[1]
        weights = output.weights
        mask = memory.mask if isinstance(memory, Memory) else memory[0].mask
        assert weights is not None
        assert (weights >= 0).all()
        assert (weights[~mask[:, None, None].expand_as(weights)] == 0).all()
        total = weights.sum(-1) if output.sentinel is None else weights.sum(-1) + output.sentinel[:, None]
        inside = getattr(call.attention, "attention", call.attention)
        if getattr(getattr(inside, "span", None), "gaussian", False):
            assert (total <= 1 + 1e-10).all()
            assert (total > 0).all()
        else:  # a padded query of a sequence's own may be too far from every real key
            astray = (
                ~mask[:, None] & (total == 0)
                if weights.shape[2] == mask.shape[1]
                else total.new_zeros((), dtype=torch.bool)
            )
            torch.testing.assert_close(total.masked_fill(astray, 1.0), torch.ones_like(total), **EXACT)


@every_model
def test_asking_for_a_trace_changes_nothing(name: str) -> None:
    for call in attention_calls(system(name)):
        for traced, plain in zip(leaves(call.traced().context), leaves(call.output.context), strict=True):
            torch.testing.assert_close(traced, plain, **EXACT)


@every_model
def test_accumulated_batches_equal_one_large_batch(name: str) -> None:
    model = system(name)
    source, target = sentences([4, 6, 3, 5]), sentences([5, 3, 6, 2])

    def gradients(parts: list[slice]) -> dict[str, Tensor]:
        model.zero_grad(set_to_none=True)
        for part in parts:
            features = model(source[part], target[part])
            loss = sequence_loss(features, model.output, model.bias, target[part], smoothing=0.1).smoothed
            (loss / (target != PAD).sum()).backward()
        return {key: p.grad for key, p in model.named_parameters() if p.grad is not None}

    whole, parts = gradients([slice(None)]), gradients([slice(0, 1), slice(1, 4)])
    for key, gradient in whole.items():
        torch.testing.assert_close(parts[key], gradient, **EXACT, msg=key)


def leaves(tree: Tree) -> list[Tensor]:
    """The tensors of a tree."""
    tensors: list[Tensor] = []

    def collect(leaf: Tensor) -> Tensor:
        tensors.append(leaf)
        return leaf

    map_tree(collect, tree)
    return tensors
