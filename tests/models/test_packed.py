"""A packed model translates in bf16 as the model itself does in fp32, nearly; and leaves the model as it is."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from seq2attn.data.tokenizer import Tokenizer
from seq2attn.models.packed import PackedLinear, PackedLstm, PackedSeq2Seq
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search import Beam, Engine, Greedy, OutputLimit, Sentences
from seq2attn.search.engine import Batch
from tests.laws.systems import MODELS, sentences, system
from tests.laws.test_model_laws import steps


def score(model: Seq2Seq, source: Tensor, target: Tensor) -> float:
    """Nats for each token, all of them stepped to."""
    log_p = steps(model, source, target).float().log_softmax(-1)
    return -float(log_p.gather(2, target[..., None]).mean())


@pytest.mark.parametrize("name", MODELS)
def test_every_packed_model_is_near_the_model_itself(name: str) -> None:
    model = system(name).float()
    source, target = sentences([5, 3, 6]), sentences([4, 4, 4])
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with torch.inference_mode():
        exact = score(model, source, target)
        packed = PackedSeq2Seq(model)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = score(packed, source, target)
            found = Beam(3)(packed, Sentences(source, torch.full((3,), 5), range(3)), torch.arange(3))
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.05)
    assert all(1 <= len(hypotheses) <= 3 for hypotheses in found)
    assert {p.data_ptr() for p in packed.parameters()} <= {p.data_ptr() for p in model.parameters()}
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    assert not any(isinstance(module, PackedLinear | PackedLstm) for module in model.modules())
    linear = [module for module in packed.modules() if isinstance(module, nn.Linear)]
    assert all(isinstance(module, PackedLinear) for module in linear)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 300])
def test_a_packed_layer_is_the_layer_rounded(rows: int, relu: bool, bias: bool) -> None:
    torch.manual_seed(1)
    layer, inputs = nn.Linear(40, 24, bias=bias), torch.randn(rows, 40)
    with torch.inference_mode():
        right = layer(inputs).relu() if relu else layer(inputs)
        made = PackedLinear(layer.weight, layer.bias, relu=relu)(inputs)
    assert made.dtype == torch.bfloat16
    assert torch.allclose(made.float(), right, atol=0.03)


@pytest.mark.parametrize("layers", [1, 2])
def test_steps_of_a_packed_lstm_are_the_lstm_s(layers: int) -> None:
    torch.manual_seed(1)
    lstm = nn.LSTM(6, 10, layers, batch_first=True)
    state = torch.randn(layers, 3, 10), torch.randn(layers, 3, 10)
    inputs = torch.randn(3, 1, 6)
    with torch.inference_mode():
        outputs, after = lstm(inputs, state)
        made, made_after = PackedLstm(lstm)(inputs, state)
    for own, right in ((made, outputs), *zip(made_after, after, strict=True)):
        assert own.shape == right.shape
        assert own.dtype == torch.float32
        assert torch.allclose(own, right, atol=0.02)


class _Numbers(Tokenizer):
    def __init__(self) -> None:
        """Needs no vocabulary."""

    def banned_tokens(self) -> list[int]:
        return [0, 1, 2]

    def decode_target(self, tokens: Sequence[Sequence[int]]) -> list[str]:
        return [" ".join(map(str, row)) for row in tokens]


def test_an_engine_sees_that_weights_have_changed() -> None:
    model = system(next(iter(MODELS))).float()
    batch = Batch([0, 1], [[5, 6, 7, 3], [8, 9, 3]])

    def translate(engine: Engine) -> list[str]:
        [found] = engine.search(Greedy(), OutputLimit.fixed(6), [batch])
        return [hypotheses[0].text for hypotheses, _ in found]

    engine = Engine(model, _Numbers(), "bf16")
    before = translate(engine)
    assert translate(engine) == before
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
    after = translate(engine)
    assert after != before
    assert after == translate(Engine(model, _Numbers(), "bf16"))
