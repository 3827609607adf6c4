"""The documents as data (blocks, spans, links), and the commands in them made small enough to be run by a test."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import typer

from seq2attn.cli.main import app

ROOT = Path(__file__).parents[1]
GUIDE = "docs/extending.md"  # followed to the letter by a test of its own
FILES = [
    *("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md"),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
]
RUN = [name for name in FILES if name != GUIDE]
LANGUAGES = {"sh", "python", "yaml", "text"}

# What a reader does before seq2attn is there; a test cannot.
INSTALLATION = {
    "git clone REPOSITORY seq2attn",
    "cd seq2attn",
    ". .venv/bin/activate",
    "python3 -m venv gpu",
    "gpu/bin/pip install torch",
    "gpu/bin/pip install .",
}
# Hours of training, and a minute of measuring: their words are parsed. tests/cli/ runs them small.
LONG = {("demo",), ("probe", "capacity"), ("probe", "cost")}
SMALL_MODEL = (
    "data.vocab_size=360",
    "model.embedding.width=16",
    "model.encoder.width=8",
    "model.decoder.width=16",
    "training.max_updates=2",
    "training.validate_every=1",
)
SMALL_DATA = ("data.train=corpus/train", "data.validation=corpus/validation", "data.test=corpus/test")
SMALLER = {
    ("corpus",): ("--pairs", "300", "--max-words", "10"),
    ("evaluate",): ("--noise-seeds", "1"),
    ("probe", "scaling"): ("--draws", "10"),
    ("probe", "attention"): ("--sentences", "2"),
    ("probe", "heads"): ("--sentences", "2"),
}


class Block(NamedTuple):
    """A fenced block: the line of its fence (from 1), its language and its text."""

    line: int
    language: str
    text: str


def read(name: str) -> str:
    """The text of a document."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a document, in order. Raises ValueError for a fence that is not closed."""
    found: list[Block] = []
    open_at, language, lines = 0, "", []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.lstrip().startswith("```"):
            lines.append(line)
        elif open_at:
            found.append(Block(open_at, language, "\n".join(lines) + "\n"))
            open_at = 0
        else:
            open_at, language, lines = number, line.strip().removeprefix("```"), []
    if open_at:
        raise ValueError(f"line {open_at}: a fence that is not closed")
    return found


def prose(text: str) -> str:
    """A document without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def spans(text: str) -> list[str]:
    """The inline code of a document."""
    found = re.findall(r"`((?:[^`\n]|\n(?!\n))+)`", prose(text))
    return [" ".join(span.replace("\\|", "|").split()) for span in found]


def links(text: str) -> list[str]:
    """The targets of all links and pictures that are not addresses of the web."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(text))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """What a link may name after #: the headings, in lower case, with hyphens for spaces and without punctuation."""
    headings = re.findall(r"^#+ (.*)$", prose(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def command_lines(block: Block) -> Iterator[str]:
    """The commands of a shell block."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip()


def is_seq2attn(line: str) -> bool:
    """Whether the last command of a line's pipe is seq2attn."""
    return Path(shlex.split(line.split("|")[-1], comments=True)[0]).name == "seq2attn"


def arguments(line: str) -> list[str]:
    """The words after `seq2attn`, the last command of a line's pipe."""
    return shlex.split(line.split(" | ")[-1], comments=True)[1:]


def commands() -> dict[tuple[str, ...], Any]:
    """All commands of the program by their words: ("train",), ("probe", "worked")."""
    group: Any = typer.main.get_command(app)
    return {
        (name, *inner): leaf
        for name, command in group.commands.items()
        for inner, leaf in (
            [((word,), leaf) for word, leaf in command.commands.items()]
            if hasattr(command, "commands")
            else [((), command)]
        )
    }


def split_command(words: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """The words of a command and the rest. Raises KeyError if there is no such command."""
    known = commands()
    key = tuple(words[:2]) if tuple(words[:2]) in known else tuple(words[:1])
    if key not in known:
        raise KeyError(f"no command {' '.join(words[:2])}")
    return key, words[len(key) :]


def options(command: Any) -> dict[str, Any]:
    """The shown options of a command by every spelling."""
    shown = [p for p in command.params if p.param_type_name == "option" and not getattr(p, "hidden", False)]
    return {spelling: p for p in shown for spelling in (*p.opts, *p.secondary_opts) if spelling != "--help"}


def shrink(words: list[str]) -> list[str]:
    """The arguments of a command so that it takes seconds, in a folder that holds the small corpus."""
    key, rest = split_command(words)
    if key in (("train",), ("sweep",)) or (key == ("compare",) and any(word.endswith(".yaml") for word in rest)):
        shipped = any(word.startswith("configs/") for word in rest)
        small = [word for value in (*SMALL_MODEL, *(SMALL_DATA if shipped else ())) for word in ("--set", value)]
        return [*words, *small, *(("--seeds", "1") if "--seeds" in rest else ())]
    return [*words, *SMALLER.get(key, ())]


def makefile_problem(words: list[str]) -> str | None:
    """What is wrong with a `make` command: a target or a variable that the Makefile does not have."""
    makefile = read("Makefile")
    for word in words[1:]:
        name, equals, _ = word.partition("=")
        known = rf"^{name} *\??:?=" if equals else rf"^{name}:"
        if not re.search(known, makefile, flags=re.MULTILINE):
            return f"the Makefile has no {name}"
    return None


def script_problem(words: list[str]) -> str | None:
    """What is wrong with a `python scripts/…` command: no such script, or an option that it does not know."""
    script = ROOT / words[1]
    if not script.is_file():
        return f"no script {words[1]}"
    source = script.read_text(encoding="utf-8")
    own = words[2 : words.index("--")] if "--" in words else words[2:]  # what follows is another command
    unknown = [word for word in own if word.startswith("--") and f'"{word}"' not in source]
    return f"{words[1]} knows no {unknown[0]}" if unknown else None


def floors() -> list[str]:
    """The layers of the architecture, from the top, as pyproject.toml has them."""
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers: list[str] = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return layers
