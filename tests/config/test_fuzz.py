"""Whatever somebody does to a valid config file, it is read, or refused with one line and a hint."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from seq2attn.config.config import to_yaml
from seq2attn.config.load import load_config
from seq2attn.errors import Seq2attnError
from tests.examples import examples

FOLDER = Path(__file__).parents[2] / "configs"
FILES = [path for path in sorted(FOLDER.rglob("*.yaml")) if path.parent.name != "base"]
TEXTS = [text for path in FILES for text in (path.read_text(encoding="utf-8"), to_yaml(load_config(path)))]
YAML = [
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "<<: *a",
    "!!python/name:os.system",
    "|",
    "'",
    '"',
    "#",
    "---\n",
    "? a\n: b\n",
]
VALUES = [
    "null",
    "no",
    "yes",
    ".nan",
    ".inf",
    "-1",
    "0",
    "1e400",
    "0x1F",
    "1_000",
    "9" * 400,
    "type",
    "extends: /",
    "extends: .",
]
CHARACTERS = ["", " ", "  ", "\t", "\n", "\r", "\u2028", "\x00", "\ufeff", "é", "🙂", "\ud800"]
PIECES = st.sampled_from([*YAML, *VALUES, *CHARACTERS]) | st.text(max_size=5)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A file of configs/, as it is or complete, after one to four edits of its text."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.sampled_from([0, 0, 1, 2, 5, 20]))
        text = text[:start] + draw(PIECES) + text[end:]
    return text


def refusal(file: Path) -> Seq2attnError | None:
    """What is said of the file; None if it is read. Any other exception is the test's failure."""
    try:
        load_config(file)
    except Seq2attnError as error:
        return error
    return None


@given(text=mutated())
@examples(300)
def test_a_mutated_config_is_read_or_refused_in_one_line(text: str, tmp_path: Path) -> None:
    for name in ("base", "demo", "multi30k", "capacity"):
        if not (tmp_path / name).exists():
            (tmp_path / name).symlink_to(FOLDER / name)
    file = tmp_path / "attention" / "exp.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    error = refusal(file)
    if error is not None:
        assert error.message
        assert error.hint
        assert "\n" not in error.message + error.hint
