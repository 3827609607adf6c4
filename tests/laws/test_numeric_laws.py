"""Fresh weights, gradients that are slopes, bf16 near fp32, and nothing from where nothing is legal: of every model."""

import pytest
import torch
from torch import Tensor

from seq2attn.attention import Mixture
from seq2attn.build.model import build_seq2seq
from seq2attn.config.model import ModelConfig
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.tensors import map_tree
from seq2attn.training.loss import Loss, sequence_loss
from tests.laws.systems import DEVICE, MODELS, VOCABULARY, sentences, system
from tests.laws.test_model_laws import attention_calls

every_model = pytest.mark.parametrize("name", MODELS)


def loss_of(model: Seq2Seq) -> Loss:
    source, target = sentences([4, 6, 1], padding=1), sentences([5, 2, 4])
    return sequence_loss(model(source, target), model.output, model.bias, target, smoothing=0.1)


@every_model
def test_fresh_maps_are_xavier_uniform_and_fresh_biases_zero(name: str) -> None:
    torch.manual_seed(1)
    config = ModelConfig.model_validate({"embedding": {"width": 8}} | MODELS[name])
    model = build_seq2seq(config, source_size=VOCABULARY, target_size=VOCABULARY, max_length=40)
    for key, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and not key.endswith("attention.update"):  # of hops: the identity
            bound = (6 / (module.in_features + module.out_features)) ** 0.5
            assert 0.5 * bound < module.weight.abs().max() <= bound, key
        gates = isinstance(module, torch.nn.LSTM) or key.endswith("norm_inputs")  # their forget bias is 1
        if not gates and getattr(module, "bias", None) is not None:
            assert (module.bias == 0).all(), key


@every_model
def test_the_gradient_is_the_slope_of_the_loss(name: str) -> None:
    model, step = system(name), 1e-6
    loss_of(model).smoothed.backward()
    moved = [parameter for parameter in model.parameters() if parameter.grad is not None]
    generator = torch.Generator().manual_seed(3)
    directions = [
        torch.randn(parameter.shape, generator=generator, dtype=torch.float64).to(DEVICE) for parameter in moved
    ]
    slope = sum((parameter.grad * way).sum() for parameter, way in zip(moved, directions, strict=True))
    values = []
    with torch.no_grad():
        for factor in (step, -2 * step):  # ahead, then as far behind
            for parameter, way in zip(moved, directions, strict=True):
                parameter.add_(factor * way)
            values.append(loss_of(model).smoothed)
    assert float(slope) == pytest.approx(float(values[0] - values[1]) / (2 * step), rel=1e-5)


@every_model
def test_bf16_autocast_is_near_fp32(name: str) -> None:
    model = system(name).float()
    exact = loss_of(model)
    exact.smoothed.backward()
    right = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    model.zero_grad()
    with torch.autocast(DEVICE.type, torch.bfloat16):
        rounded = loss_of(model)
    rounded.smoothed.backward()
    own = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    assert rounded.nll.dtype == own.dtype == torch.float32
    assert rounded.nll.item() != exact.nll.item()
    assert rounded.nll.item() == pytest.approx(exact.nll.item(), rel=0.03)
    assert torch.nn.functional.cosine_similarity(own, right, dim=0) > 0.95


@every_model
def test_training_in_bf16_autocast_is_finite(name: str) -> None:
    torch.manual_seed(2)
    model = system(name, dropout=0.2).float().train()
    with torch.autocast(DEVICE.type, torch.bfloat16):
        loss = loss_of(model)
    loss.smoothed.backward()
    assert loss.smoothed.isfinite()
    for key, parameter in model.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), key


@every_model
def test_without_a_legal_key_there_is_no_weight_and_no_gradient(name: str) -> None:
    for call in attention_calls(system(name)):
        request, memory = call.arguments
        given = [request.query.detach().requires_grad_()]

        def blind(leaf: Tensor, given: list[Tensor] = given) -> Tensor:
            """Nothing is legal in the first sentence."""
            if leaf.dtype == torch.bool:
                return leaf & (torch.arange(len(leaf), device=DEVICE) > 0)[:, None]
            given.append(leaf.detach().requires_grad_())
            return given[-1]

        memory = map_tree(blind, memory)
        output = call.attention(request._replace(query=given[0], trace=True), memory)
        assert (output.weights[0] == 0).all()
        context = output.context
        if isinstance(context, Mixture):
            context = (context.log_weights.exp()[..., None] * context.values).sum(2)
            assert (context[0] == 0).all()
        context.square().sum().backward(retain_graph=True)  # what came before is asked again
        assert context.isfinite().all()
        for tensor in given:
            if tensor.grad is not None:
                assert tensor.grad.isfinite().all()
                assert (tensor.grad[0] == 0).all()
