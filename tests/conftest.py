"""Every annotation of the package, shapes included, is executed by the tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook(
    "seq2attn", "beartype.beartype"
)  # for good: most modules are imported later, when a test needs them

settings.register_profile("no deadline", deadline=None)  # a busy machine makes a slow example, not a wrong one
settings.load_profile("no deadline")


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQ2ATTN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def configs() -> Path:
    return Path(__file__).parent.parent / "configs"


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny corpus with its config, for training."""
    from tests.tiny import write_corpus

    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tiny run; read it, but write nothing into it."""
    from seq2attn.runs.train import train
    from tests.tiny import TRAINED, tiny

    out = tmp_path_factory.mktemp("trained") / "run"
    train(tiny(corpus, *TRAINED), out, device="cpu")
    return out


@pytest.fixture(scope="session")
def trained_otherwise(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder of `trained`, with another evaluation section; read it, but write nothing into it."""
    folder = Path(shutil.copytree(trained / "model", tmp_path_factory.mktemp("otherwise") / "model"))
    text = (folder / "config.yaml").read_text(encoding="utf-8")
    old = "evaluation: {lowercase: false, tokenize: auto, beam: 5, length_penalty: 1.0, max_output: null, precision: auto}"
    assert old in text
    new = "evaluation: {lowercase: true, tokenize: char, beam: 3, length_penalty: 0.5}"
    (folder / "config.yaml").write_text(text.replace(old, new), encoding="utf-8")
    (folder / "SHA256SUMS").unlink()
    return folder


@pytest.fixture(scope="session")
def spelled(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tiny run that spells unknown characters in bytes, and may write them; read it, but write nothing into it."""
    from seq2attn.runs.train import train
    from tests.tiny import TRAINED, tiny

    out = tmp_path_factory.mktemp("spelled") / "run"
    train(
        tiny(corpus, *TRAINED, "data.vocab_size=300", "data.tokenizer.byte_fallback=true", "data.max_length=40"),
        out,
        device="cpu",
    )
    return out
