"""Who takes part in a comparison: configs and finished runs, each system under its name."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2attn.build.data import build_test_source
from seq2attn.config.config import Config, differences
from seq2attn.config.load import load_config
from seq2attn.data.sources import Source, TextFiles
from seq2attn.errors import UsageError
from seq2attn.runs.directory import Run


@dataclass(frozen=True)
class Entry:
    """One run of a system, trained already or not; `given` runs are never trained."""

    config: Config
    path: Path
    given: bool


@dataclass(frozen=True)
class Contestant:
    """A system: its names, where its config was read, and one entry for each seed.

    Several names are several config files that say the same. The first one names folders.
    """

    names: tuple[str, ...]
    origin: str
    entries: tuple[Entry, ...]

    @property
    def name(self) -> str:
        """All its names: "additive = soft"."""
        return " = ".join(self.names)

    @property
    def config(self) -> Config:
        """The config of the first seed; the others differ in the seed alone."""
        return self.entries[0].config


def contestants(
    systems: Sequence[str], out: Path, *, seeds: Sequence[int] = (), overrides: Sequence[str] = ()
) -> list[Contestant]:
    """The systems in the order given. Configs are to be trained into `out`/runs/NAME/seed-N; folders are runs.

    A config is called by its stem, a run by its folder, or by the folder above where its own is called seed-N: runs
    beside each other there are the seeds of one system. Configs that say the same are one system under all their names.
    Raises UsageError if two systems would have the same name.
    """
    found: dict[str, Contestant] = {}
    for system in systems:
        path = Path(system)
        new = _given(path) if path.is_dir() else _from_config(system, out, seeds, overrides)
        old = found.get(new.name)
        found[new.name] = new if old is None else _joined(old, new)
    return _merged(found.values())


def _merged(entrants: Iterable[Contestant]) -> list[Contestant]:
    """Those to be trained with equal configs as one, so that nothing is trained twice."""
    merged: list[Contestant] = []
    for new in entrants:
        place = next((place for place, old in enumerate(merged) if _alike(old, new)), None)
        if place is None:
            merged.append(new)
        else:
            old = merged[place]
            merged[place] = Contestant(old.names + new.names, f"{old.origin} = {new.origin}", old.entries)
    return merged


def _alike(a: Contestant, b: Contestant) -> bool:
    given = any(entry.given for entry in (*a.entries, *b.entries))
    return not given and [entry.config for entry in a.entries] == [entry.config for entry in b.entries]


def _from_config(system: str, out: Path, seeds: Sequence[int], overrides: Sequence[str]) -> Contestant:
    name = Path(system).stem
    variants = [(*overrides, f"seed={seed}") for seed in seeds] or [tuple(overrides)]
    configs = [load_config(system, variant) for variant in variants]
    entries = tuple(Entry(config, out / "runs" / name / f"seed-{config.seed}", given=False) for config in configs)
    return Contestant((name,), system, entries)


def _given(path: Path) -> Contestant:
    run = Run.open(path)
    if not run.finished:
        raise UsageError(
            f"{path}: this run is not finished", "go on with `seq2attn train` first; compare trains configs only"
        )
    whole = path.resolve()
    name = whole.parent.name if whole.name == f"seed-{run.config.seed}" else whole.name
    return Contestant((name,), str(path), (Entry(run.config, path, given=True),))


def _joined(old: Contestant, new: Contestant) -> Contestant:
    """Runs of one folder with different seeds are one system; anything else of the same name is a clash."""
    entries = (*old.entries, *new.entries)
    beside = all(entry.given for entry in entries) and len({entry.path.resolve().parent for entry in entries}) == 1
    seeds = {entry.config.seed for entry in entries}
    if not beside or len(seeds) < len(entries):
        raise UsageError(
            f"{old.origin} and {new.origin} would both be called {new.name!r}",
            "a system is called by its file's name without .yaml, a run by its folder: rename one of the two",
        )
    changed = [key for key in differences(old.config, new.config) if not key.startswith("seed:")]
    if changed:
        raise UsageError(
            f"{old.origin} and {new.origin} are not seeds of one system: {'; '.join(changed)}",
            "rename the folder of one of the two",
        )
    return Contestant(old.names, old.origin, entries)


def choose_baseline(entrants: Sequence[Contestant], wanted: str | None) -> str:
    """The name of the baseline: `wanted`, else the first system whose decoder is `lstm`, else the first system.

    Raises UsageError if no system has the wanted name.
    """
    if wanted is None:
        lstm = (entrant for entrant in entrants if entrant.config.model.decoder.type == "lstm")
        return next(lstm, entrants[0]).name
    names = {name: entrant.name for entrant in entrants for name in entrant.names}
    if wanted not in names:
        near = difflib.get_close_matches(wanted, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"one of: {', '.join(names)}"
        raise UsageError(f"--baseline {wanted}: no system of that name", hint)
    return names[wanted]


def shared_test(entrants: Sequence[Contestant], prefix: str | None) -> Source:
    """The test set of all systems: the files of `prefix`, else data.test, which all configs must have in common.

    Raises UsageError if the systems differ in what BLEU depends on: languages, test set, case or tokenizer.
    """
    first = entrants[0].config
    for entrant in entrants[1:]:
        for section, keys in (("data", ("source", "target")), ("evaluation", ("lowercase", "tokenize"))):
            for key in keys:
                ours, theirs = (getattr(getattr(c, section), key) for c in (first, entrant.config))
                if ours != theirs:
                    raise UsageError(
                        f"{section}.{key} is {ours} in {entrants[0].name} but {theirs} in {entrant.name}",
                        "their BLEU cannot be compared; set the same in both",
                    )
    if prefix is not None:
        return TextFiles(prefix, first.data.source, first.data.target)
    sources = {entrant.name: build_test_source(entrant.config) for entrant in entrants}
    for name, source in sources.items():
        if source is None:
            raise UsageError(f"{name} has no data.test", "name a test set with --test PREFIX or --set data.test=PREFIX")
        if source != sources[entrants[0].name]:
            raise UsageError(
                f"{entrants[0].name} and {name} have different test sets in data.test",
                "name one for all with --test PREFIX",
            )
    chosen = sources[entrants[0].name]
    assert chosen is not None
    return chosen
