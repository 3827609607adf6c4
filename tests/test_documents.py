"""The documents are true: their commands, code, configs, links, paths, options and keys are those of the project."""

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from seq2attn.cli.main import _run
from seq2attn.config.config import Config
from seq2attn.config.load import load_config
from tests import documents as d

Do = Callable[[str], None]
TEST_LINES = 8


@pytest.fixture
def do(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Do:
    """Runs one line of a shell block in the current folder, made small; an assertion tells what is wrong with it."""

    def run(line: str) -> None:
        words = shlex.split(line, comments=True)
        if d.is_seq2attn(line):
            run_seq2attn(line)
        elif words[0] == "make":
            assert d.makefile_problem(words) is None
        elif words[0] == "python" and words[1].startswith("scripts/"):
            assert d.script_problem(words) is None
        elif words[0] in ("cd", "sacrebleu") and line not in d.INSTALLATION:
            bash(line)
        else:
            assert line in d.INSTALLATION, "neither a command that a test can run, nor a step of the installation"

    def run_seq2attn(line: str) -> None:
        small = d.shrink(d.arguments(line))
        key, rest = d.split_command(small)
        d.commands()[key].make_context(" ".join(key), list(rest))  # every option is known, every value legal
        if key in d.LONG:
            return
        feeder = line.rpartition(" | ")[0]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bash(feeder) if feeder else b"")))
            code = _run(small, False)
        out, err = capfdbinary.readouterr()
        assert code == 0, err.decode()
        assert out or "-o" in small, "a command that prints nothing"
        if key == ("corpus",):
            shorten(Path(rest[0]))

    def bash(line: str) -> bytes:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, timeout=120, check=False, env={**os.environ, "PATH": path}
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


def shorten(corpus: Path) -> None:
    """Validation and test sets of a few lines."""
    for file in [*corpus.glob("validation.*"), *corpus.glob("test.*")]:
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        file.write_text("".join(lines[:TEST_LINES]), encoding="utf-8")


def first_config() -> str:
    """The README's config."""
    return next(block.text for block in d.blocks(d.read("README.md")) if block.language == "yaml")


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like the checkout before anything was done in it, and the current one."""
    (tmp_path / "configs").symlink_to(d.ROOT / "configs")
    (tmp_path / "base.yaml").write_text(first_config(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader of the README has when he goes on to docs/: a config, a corpus and two runs. Copy it."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "en-de.yaml").write_text(first_config(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert _run(d.shrink(["corpus", "corpus"]), False) == 0
        shorten(folder / "corpus")
        assert _run(d.shrink(["train", "en-de.yaml", "--out", "runs/first"]), False) == 0
        second = ["train", "en-de.yaml", "--out", "runs/second", "--set", "model.decoder=bahdanau"]
        assert _run(d.shrink(second), False) == 0
    return folder


@pytest.mark.filterwarnings("ignore:.* cut at the limit")  # models that have hardly learned
@pytest.mark.parametrize("name", d.RUN)
def test_every_block_runs(name: str, bare: Path, request: pytest.FixtureRequest) -> None:
    if name != "README.md":
        shutil.copytree(request.getfixturevalue("finished"), bare, dirs_exist_ok=True)
    do = request.getfixturevalue("do")
    space: dict[str, Any] = {}
    for block in d.blocks(d.read(name)):
        place = f"{name}:{block.line}"
        if block.language == "python":
            exec(compile("\n" * block.line + block.text, place, "exec"), space)
        elif block.language == "yaml":
            check_config(block, bare)
        elif block.language == "sh":
            for line in d.command_lines(block):
                try:
                    do(line)
                except Exception as error:
                    raise AssertionError(f"{place}: {line}: {error}") from error


def check_config(block: d.Block, folder: Path) -> None:
    """A whole config, or a part of one, which is laid over the README's. One that begins `# NAME.yaml` is kept."""
    named = re.match(r"# ([\w-]+\.yaml)", block.text)
    file = folder / (named[1] if named else f"block-{block.line}.yaml")
    whole = re.search(r"^extends:", block.text, re.MULTILINE) or all(
        re.search(rf"^{section}:", block.text, re.MULTILINE) for section in ("data", "model", "training")
    )
    file.write_text(block.text if whole else f"extends: base.yaml\n{block.text}", encoding="utf-8")
    load_config(file)


@pytest.mark.parametrize("name", d.FILES)
def test_every_block_has_a_language_and_text_holds_no_commands(name: str) -> None:
    found = d.blocks(d.read(name))
    assert {block.language for block in found} <= d.LANGUAGES
    code = r"^\s*(\$ |(seq2attn|make|pip|python3?|git) [a-z-]|import |from \w+ import |[a-z_]+:\s*\{)"
    for block in found:
        assert block.language != "text" or not re.search(code, block.text, re.MULTILINE), block
    indented = re.findall(r"\n\n    \S.*", d.prose(d.read(name)))
    assert not indented or name == d.GUIDE, "a block without a fence"


def test_every_exception_is_still_needed() -> None:
    lines = {
        line
        for name in d.RUN
        for block in d.blocks(d.read(name))
        if block.language == "sh"
        for line in d.command_lines(block)
    }
    assert lines >= d.INSTALLATION
    if d.GUIDE in d.FILES:
        others = [path for path in (d.ROOT / "tests").rglob("test_*.py") if path.name != Path(__file__).name]
        assert any(Path(d.GUIDE).name in path.read_text(encoding="utf-8") for path in others), d.GUIDE


@pytest.mark.parametrize("name", d.FILES)
def test_every_link_resolves(name: str) -> None:
    for target in d.links(d.read(name)):
        path, _, anchor = target.partition("#")
        file = (d.ROOT / name).parent / path if path else d.ROOT / name
        assert file.exists(), target
        assert not anchor or anchor in d.anchors(file.read_text(encoding="utf-8")), target


def test_every_document_can_be_found_from_the_first_two() -> None:
    linked = {target for name in ("README.md", "ARCHITECTURE.md") for target in d.links(d.read(name))}
    assert {name for name in d.FILES if name.startswith("docs/")} <= linked


@pytest.mark.parametrize("name", d.FILES)
def test_every_path_in_code_spans_exists(name: str) -> None:
    files = [str(path.relative_to(d.ROOT)) for folder in ("seq2attn", "tests") for path in (d.ROOT / folder).rglob("*")]
    for span in d.spans(d.read(name)):
        path = span.split()[0].replace("NAME", "*")  # a placeholder
        if re.fullmatch(r"(seq2attn|tests|configs|docs|scripts|data/grammar)/[\w/.*-]*", path):
            assert list(d.ROOT.glob(path.rstrip("/"))), span
        elif re.fullmatch(r"[\w/*]+\.py", path):
            known = list(d.ROOT.glob(path)) or any(fnmatch(file, f"*/{path}") for file in files)
            assert known, span


@pytest.mark.parametrize("name", d.FILES)
def test_every_command_in_code_spans_exists(name: str) -> None:
    every = {option for command in d.commands().values() for option in d.options(command)}
    scripts = "".join(path.read_text(encoding="utf-8") for path in (d.ROOT / "scripts").glob("*.py"))
    for span in d.spans(d.read(name).partition("\n## 0.1.0")[0]):  # the changelog's released versions stay as they were
        words = span.split()
        if words[0] == "seq2attn" and len(words) > 1 and words[1][0] != "-":
            key, rest = d.split_command(words[1:])
            used = {word for word in rest if word.startswith("-")}
            assert used <= {*d.options(d.commands()[key]), "--debug"}, span
        elif words[0] == "make" and words[1:] and words[1] != "PYTHON=/path/to/python":
            assert d.makefile_problem(words) is None, span
        elif words[0] == "python":
            assert d.script_problem(words) is None, span
        elif words[0].startswith("--"):
            known = words[0] in every | {"--help", "--version", "--debug"} or f'"{words[0]}"' in scripts
            assert known, span


def keys(schema: dict[str, Any], section: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The keys of a section of the JSON schema in all its variants, each with the sections that it may hold."""
    if "$ref" in section:
        return keys(schema, schema["$defs"][section["$ref"].rpartition("/")[2]])
    found: dict[str, list[dict[str, Any]]] = {}
    for name, value in section.get("properties", {}).items():
        found.setdefault(name, []).append(value)
    for variant in (*section.get("anyOf", ()), *section.get("oneOf", ()), *section.get("allOf", ())):
        for name, values in keys(schema, variant).items():
            found.setdefault(name, []).extend(values)
    return found


@pytest.mark.parametrize("name", d.FILES)
def test_every_config_key_in_code_spans_exists(name: str) -> None:
    schema = Config.model_json_schema()
    for span in d.spans(d.read(name)):
        if re.fullmatch(r"(data|model|training|evaluation)(\.[a-z_]+)+", span) and not span.endswith(
            (".py", ".safetensors")
        ):
            sections = [schema]
            for key in span.split("."):
                sections = [inner for section in sections for inner in keys(schema, section).get(key, ())]
                assert sections, span


def test_every_source_in_the_table_is_legal(bare: Path) -> None:
    table = re.search(r"\n## Where pairs come from\n(.*)", d.read("docs/config.md"), re.DOTALL)
    assert table
    sources = [span for span in d.spans(table[1]) if span.startswith("{type:")]
    assert len(sources) >= 6
    for source in sources:
        load_config(bare / "base.yaml", [f"data.train={source}"])


def test_commands_md_lists_every_option_with_its_default() -> None:
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", d.read("docs/commands.md"), re.DOTALL | re.MULTILINE))
    for key, command in d.commands().items():
        section = sections.pop(" ".join(key))
        assert f"`seq2attn {' '.join(key)}" in section
        rows = re.findall(r"^\| (`-.*?) \| (.*?) ?\| .*\|$", section, re.MULTILINE)
        documented = {spelling: default for names, default in rows for spelling in re.findall(r"`(--?[a-z-]+)", names)}
        actual = d.options(command)
        assert documented.keys() == actual.keys(), key
        for spelling, default in documented.items():
            parameter = actual[spelling]
            value = "required" if parameter.required else f"`{parameter.default}`"
            shown = "" if parameter.default in (None, False, "") and not parameter.required else value
            assert default.strip() == shown, (key, spelling)
    assert not sections, "sections of commands that do not exist"


def test_runs_md_names_every_key_that_is_written(finished: Path, bare: Path, do: Do) -> None:
    shutil.copytree(finished, bare, dirs_exist_ok=True)
    do("seq2attn compare runs/first runs/second --out runs/given --test corpus/test")
    text = d.read("docs/runs.md")
    events = [json.loads(line) for line in (bare / "runs/first/metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = {row[0]: row[1] for row in re.findall(r"^\| `(\w+)` \| .*? \| (.*?) ?\|$", text, re.MULTILINE)}
    assert {event["event"] for event in events} == rows.keys() - {"event"}
    for event in events:
        assert {*re.findall(r"`(\w+)`", rows[event["event"]]), "event", "update"} == event.keys()
    report = json.loads((bare / "runs/given/report.json").read_text(encoding="utf-8"))
    assert set(json_keys(report)) <= set(re.findall(r'"(\w+)"', text))
    names = {path.name for path in (bare / "runs/first").iterdir()}
    tree = next(block.text for block in d.blocks(text) if block.language == "text")
    names.add("attention_maps")  # written where training.attention_maps is set: tests/runs/test_train.py
    assert names == {word.rstrip("/") for word in re.findall(r"^  (\S+)", tree, re.MULTILINE)}


def json_keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from json_keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from json_keys(inner)


def test_architecture_shows_the_floors_that_are_held() -> None:
    tree = d.blocks(d.read("ARCHITECTURE.md"))[0].text
    shown = [re.split(r" {3,}", line)[0].replace(".py", "") for line in tree.splitlines()]
    assert [re.sub(r"\s+", " ", line.replace("|", " ")) for line in shown] == [
        re.sub(r"\s+", " ", layer.replace("|", " ")) for layer in d.floors()
    ]


def test_the_readme_is_short_and_installs_before_it_uses() -> None:
    readme = d.read("README.md")
    assert len(readme.encode()) <= 9000
    assert readme.index("\n## Install") < readme.index("make demo\n```") < readme.index("```yaml")
    assert readme.index("](docs/curve.svg)") < readme.index("\n## ")


def test_the_picture_is_drawn_as_the_tool_draws_now(finished: Path, bare: Path, do: Do) -> None:
    shutil.copytree(finished, bare, dirs_exist_ok=True)
    do("seq2attn compare runs/first runs/second --out runs/given --test corpus/test")
    files = (bare / "runs/given/curve.svg", d.ROOT / "docs/curve.svg")
    made, kept = (re.search(r"<style>.*?</style>", file.read_text(encoding="utf-8"), re.DOTALL) for file in files)
    assert made
    assert kept
    assert made[0] == kept[0], "docs/curve.svg is out of date"


def test_the_readme_shows_the_figures_of_its_picture() -> None:
    picture = dict(re.findall(r"(\w+): ((?:\S+ words [\d.]+; )*\S+ words [\d.]+)\.", d.read("docs/curve.svg")))
    shown = {name: dict(re.findall(r"(\S+) words ([\d.]+)", figures)) for name, figures in picture.items()}
    tables = ["\n".join(block.text for block in d.blocks(d.read("README.md"))), d.read("docs/experiments.md")]
    for table in tables:
        header = re.search(r"source words.*", table, re.IGNORECASE)
        assert header
        names = re.findall(r"[a-z]+", header[0].partition("entences")[2])
        rows = [re.findall(r"[\d.–]+", row) for row in re.findall(r"^\|? ?\d+–\d+ .*200 .*$", table, re.MULTILINE)]
        assert names == list(shown)
        assert {name: {row[0]: row[2 + place] for row in rows} for place, name in enumerate(names)} == shown
