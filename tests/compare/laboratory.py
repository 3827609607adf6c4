"""A folder in which configs are compared by a runner that fakes training and translating, and counts both."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from seq2attn.build.corpora import hash_sources
from seq2attn.compare.compare import Question, make_plan, run_plan, write_reports
from seq2attn.compare.report.results import Comparison
from seq2attn.compare.runner import LocalRunner
from seq2attn.compare.systems import SystemRun
from seq2attn.config.config import Config, to_yaml
from seq2attn.errors import Seq2attnError
from seq2attn.inference.model import Model
from seq2attn.runs.hypotheses import translate_once
from tests.tiny import make_manifest

CONFIG = """
data:
  source: en
  target: de
  train: {folder}/test
  validation: {folder}/test
  test: {folder}/test
  vocab_size: 290
model:
  embedding: {{width: 8}}
  encoder: {{type: lstm, width: 4}}
  decoder: {{type: {decoder}, width: {width}}}
training: {{max_updates: 3, precision: fp32}}
"""
SOURCES = ["a b c d", "the dog sleeps in the garden", "w " * 15, ""] * 10
REFERENCES = ["A B C D", "der Hund schläft im Garten", "v " * 15, "leer"] * 10


@dataclass(frozen=True)
class FakeModel:
    """Knows the test set by heart; with an LSTM decoder it forgets what is behind the first words."""

    decoder: str
    seed: int
    note: Callable[[tuple[str, int, float]], None]

    def translate_with_remarks(
        self,
        lines: Iterable[str],
        *,
        beam: int,
        length_penalty: float,
        max_length: int,
        max_output: int | None,
        progress: Callable[[float], None],
    ) -> tuple[list[str], list[str]]:
        self.note((f"{self.decoder} {self.seed}", beam, length_penalty))
        progress(float(len(list(lines))))
        known = dict(zip((line.strip() for line in SOURCES), (line.strip() for line in REFERENCES), strict=True))
        keep = 5 - self.seed if self.decoder == "lstm" else 100
        remarks = [] if max_output is None else [f"all cut at {max_output}"]
        return [" ".join(known[line].split()[:keep]) for line in lines], remarks


class Parrot:
    """A model that answers every line with itself."""

    def translate_with_remarks(self, lines: Sequence[str], **options: Any) -> tuple[list[str], list[str]]:
        return list(lines), []


class FakeRunner:
    """Writes finished runs instead of training them, and loads models that know the test set."""

    def __init__(self) -> None:
        self.trained: list[tuple[str, int]] = []
        self.translated: list[tuple[str, int, float]] = []
        self.checking = False
        self.failing: dict[str, Seq2attnError] = {}

    def check(self, run: SystemRun) -> None:
        if self.checking:
            LocalRunner("cpu", 1).check(run)

    def count_parameters(self, run: SystemRun) -> int:
        return 1000 * run.config.model.decoder.width

    @contextmanager
    def start_training(self, runs: Sequence[SystemRun]) -> Iterator[Callable[[SystemRun], None]]:
        yield self.train

    def train(self, run: SystemRun) -> None:
        if (run.path / "manifest.json").exists():
            return
        if run.path.parent.name in self.failing:
            raise self.failing[run.path.parent.name]
        self.trained.append((run.path.parent.name, run.config.seed))
        write_run(run.path, run.config)

    def translate(
        self, run: SystemRun, lines: Sequence[str], *, fingerprint: str, file: Path
    ) -> tuple[list[str], list[str]]:
        return translate_once(run.path, run.config, lines, fingerprint=fingerprint, file=file, load=self.load)

    def load(self, path: Path, device: str, *, precision: str) -> Model:
        decoder, seed = (path / "model" / "weights").read_text().split()
        return cast(Model, FakeModel(decoder, int(seed), self.translated.append))


def write_run(out: Path, config: Config) -> None:
    """A finished run, as far as a comparison looks at it."""
    (out / "model").mkdir(parents=True)
    (out / "model" / "weights").write_text(f"{config.model.decoder.type} {config.seed}")
    (out / "config.yaml").write_text(to_yaml(config))
    manifest = make_manifest(hash_sources(config), seed=config.seed)
    (out / "manifest.json").write_text(manifest.to_json())


class Laboratory:
    """A folder with a test set, in which configs are written and compared."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runner = FakeRunner()
        self.seen: list[Comparison] = []
        for language, lines in (("en", SOURCES), ("de", REFERENCES)):
            text = "".join(f"{line.strip()}\n" for line in lines)
            (folder / f"test.{language}").write_text(text, encoding="utf-8")

    @property
    def trained(self) -> list[tuple[str, int]]:
        return self.runner.trained

    @property
    def translated(self) -> list[tuple[str, int, float]]:
        return self.runner.translated

    def config(self, name: str, decoder: str = "lstm", width: int = 8, extra: str = "") -> str:
        path = self.folder / f"{name}.yaml"
        path.write_text(CONFIG.format(folder=self.folder, decoder=decoder, width=width) + extra, encoding="utf-8")
        return str(path)

    def compare(self, *systems: str, **options: Any) -> dict[str, Any]:
        """Compare, and read report.json."""
        out = self.folder / "out"
        question = Question(systems, out, **options)

        def publish(comparison: Comparison) -> None:
            self.seen.append(comparison)
            write_reports(comparison, out)

        run_plan(make_plan(question), self.runner, out, command="seq2attn compare …", after_each=publish)
        return cast(dict[str, Any], json.loads((out / "report.json").read_text(encoding="utf-8")))
