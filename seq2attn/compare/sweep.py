"""One system, or several, trained with every combination of some settings: which is best on the validation set?"""

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2attn import durable
from seq2attn.compare.runner import Runner
from seq2attn.compare.systems import SystemRun
from seq2attn.config.load import load_config
from seq2attn.errors import Seq2attnError, UsageError
from seq2attn.runs.directory import Run
from seq2attn.runs.progress import say
from seq2attn.runs.signals import InterruptedRunError
from seq2attn.tables import Table, format_duration, markdown_table
from seq2attn.training.ranking import rank, sort_best_first

_UNSAFE = re.compile(r"[^\w.=,+-]+")  # in a folder's name


@dataclass(frozen=True)
class Variation:
    """A key of the config and the values that it takes, as they are written on the command line."""

    key: str
    values: tuple[str, ...]

    @property
    def short(self) -> str:
        """The key's last part."""
        return self.key.rsplit(".", 1)[-1]


def parse_variation(text: str) -> Variation:
    """Read "a.b=1,2,3"; commas within brackets and braces do not separate values. Raises UsageError for anything else."""
    key, equals, values = text.partition("=")
    found = tuple(_split(values))
    if not (equals and key.strip() and found) or not all(found) or len(set(found)) < len(found):
        raise UsageError(
            f"--vary {text}: not a key and distinct values",
            "for example --vary training.optimizer.learning_rate=0.001,0.002",
        )
    return Variation(key.strip(), found)


def _split(values: str) -> Iterator[str]:
    depth, start = 0, 0
    for place, character in enumerate(values):
        depth += (character in "[{") - (character in "]}")
        if character == "," and depth == 0:
            yield values[start:place].strip()
            start = place + 1
    yield values[start:].strip()


@dataclass(frozen=True)
class Cell:
    """One run of a sweep: its system, the value of each key that varies, and how it is trained."""

    system: str
    values: Mapping[str, str]
    run: SystemRun


@dataclass(frozen=True)
class Row:
    """What a run reached: the best of its validations by the config's metric, at `update`, and the seconds of training."""

    cell: Cell
    metric: str
    update: int
    validation: Mapping[str, float]
    seconds: float


def plan_sweep(
    files: Sequence[str], variations: Sequence[Variation], out: Path, overrides: Sequence[str] = ()
) -> list[Cell]:
    """Every system with every combination, the last variation changing fastest; each in a folder of its own below `out`.

    An override "a.b=c" concerns all systems, "NAME:a.b=c" the system NAME alone. Raises UsageError for systems and keys that
    are there twice, and for a NAME that no system has.
    """
    names = [Path(file).stem for file in files]
    keys = [variation.key for variation in variations]
    for kind, found in (("system", names), ("key", keys)):
        if len(set(found)) < len(found):
            raise UsageError(f"the {kind} {max(found, key=found.count)} is there twice", "name each once")
    own = [(name, *_split_owner(override)) for name in names for override in overrides]
    for owner in {owner for _, owner, _ in own if owner is not None}:
        if owner not in names:
            raise UsageError(f"--set {owner}:…: no system of that name", f"the systems are {', '.join(names)}")
    short = [variation.short for variation in variations]
    labels = [v.short if short.count(v.short) == 1 else v.key for v in variations]
    cells = []
    for file, name in zip(files, names, strict=True):
        shared = [override for system, owner, override in own if system == name and owner in (None, name)]
        for values in itertools.product(*(variation.values for variation in variations)):
            chosen = dict(zip(keys, values, strict=True))
            config = load_config(file, [*shared, *(f"{key}={value}" for key, value in chosen.items())])
            folder = ",".join(f"{label}={value}" for label, value in zip(labels, values, strict=True))
            path = out / "runs" / name / (_UNSAFE.sub("_", folder) or "plain")
            cells.append(Cell(name, chosen, SystemRun(config, path, finished=False)))
    folders = [cell.run.path for cell in cells]
    if len(set(folders)) < len(folders):
        raise UsageError(f"two values would have the folder {max(folders, key=folders.count)}", "write them otherwise")
    return cells


def _split_owner(override: str) -> tuple[str | None, str]:
    owner, colon, rest = override.partition(":")
    return (owner.strip(), rest) if colon and "=" not in owner else (None, override)


def sweep(cells: Sequence[Cell], runner: Runner, out: Path) -> tuple[list[Row], list[tuple[Cell, Seq2attnError]]]:
    """Train what is not trained yet; gives the rows, best first, and what failed. `out`/sweep.json and sweep.md grow meanwhile.

    Of systems with different metrics each row is ranked by its own. Raises InterruptedRunError after a signal.
    """
    for cell in cells:
        runner.check(cell.run)
    rows: list[Row] = []
    failed: list[tuple[Cell, Seq2attnError]] = []
    with runner.start_training([cell.run for cell in cells]) as train:
        for cell in cells:
            try:
                train(cell.run)
            except InterruptedRunError:
                raise
            except Seq2attnError as error:
                failed.append((cell, error))
                say(f"{cell.run.path} failed: {error.message}")
                continue
            rows.append(read_row(cell))
            rows.sort(key=lambda row: rank(row.metric, row.validation), reverse=True)
            durable.write_whole(out / "sweep.json", json.dumps(to_json(rows), indent=2) + "\n")
            durable.write_whole(out / "sweep.md", markdown_table(make_table(rows)) + "\n")
    return rows, failed


def read_row(cell: Cell) -> Row:
    """What a finished run reached."""
    run = Run.open(cell.run.path)
    events = run.events()
    history = {
        event["update"]: {name: float(event[name]) for name in ("bleu", "chrf", "loss")}
        for event in events
        if event["event"] == "validation"
    }
    metric = run.config.training.ranking_metric
    update = sort_best_first(metric, history)[0]
    seconds = next(event["seconds"] for event in reversed(events) if event["event"] == "train")
    return Row(cell, metric, update, history[update], seconds)


def to_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One object for each run, best first."""
    return [
        {
            "system": row.cell.system,
            "values": dict(row.cell.values),
            "run": str(row.cell.run.path),
            "update": row.update,
            **row.validation,
            "train_seconds": row.seconds,
        }
        for row in rows
    ]


def make_table(rows: Sequence[Row]) -> Table:
    """A row for each run, best first: the figures of its best validation."""
    keys = list(rows[0].cell.values) if rows else []
    header = ("system", *keys, "update", "BLEU", "chrF2", "loss", "training")
    return Table(
        header,
        tuple(
            (
                row.cell.system,
                *row.cell.values.values(),
                f"{row.update:,}",
                f"{row.validation['bleu']:.2f}",
                f"{row.validation['chrf']:.2f}",
                f"{row.validation['loss']:.3f}",
                format_duration(row.seconds),
            )
            for row in rows
        ),
    )
