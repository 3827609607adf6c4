"""The systems of a comparison: configs and finished runs, each system under its name."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2attn.build.data import build_named_source, build_test_source, find_source, name_key
from seq2attn.config.config import Config, differences
from seq2attn.config.load import load_config
from seq2attn.data.sources import Source
from seq2attn.errors import SourceError, UsageError
from seq2attn.inference.files import CONFIG
from seq2attn.runs.directory import Run


@dataclass(frozen=True)
class SystemRun:
    """One run of a system, in the run directory `path`; a `finished` one was named by the user and is never trained."""

    config: Config
    path: Path
    finished: bool


@dataclass(frozen=True)
class System:
    """A system: its names, where its config was read, and one run for each seed.

    It has several names if several config files say the same; the first one names folders.
    """

    names: tuple[str, ...]
    origin: str
    runs: tuple[SystemRun, ...]

    @property
    def name(self) -> str:
        """All its names: "additive = soft"."""
        return " = ".join(self.names)

    @property
    def config(self) -> Config:
        """The config of the first seed; the others differ in the seed alone."""
        return self.runs[0].config


def read_systems(
    arguments: Sequence[str], out: Path, *, seeds: Sequence[int] = (), overrides: Sequence[str] = ()
) -> list[System]:
    """The systems of the command line, in its order: config files, and folders of finished runs.

    A config's runs go into `out`/runs/NAME/seed-N, one for each of `seeds`. A config is called by its file's name without
    .yaml; a run by its folder, or, if that is called seed-N, by the folder above: such runs beside each other are the seeds
    of one system. Configs that say the same are one system under all their names. Raises UsageError if two systems would
    have the same name, or a run is not finished.

    Of `overrides`, those of evaluation and data.test concern the finished runs too.
    """
    systems: dict[str, System] = {}
    for argument in arguments:
        path = Path(argument)
        new = _read_run(path, overrides) if path.is_dir() else _read_config(argument, out, seeds, overrides)
        old = systems.get(new.name)
        systems[new.name] = new if old is None else _join_seeds(old, new)
    return _merge_equal(systems.values())


def _read_config(file: str, out: Path, seeds: Sequence[int], overrides: Sequence[str]) -> System:
    name = Path(file).stem
    overrides_by_run = [(*overrides, f"seed={seed}") for seed in seeds] or [tuple(overrides)]
    configs = [load_config(file, run_overrides) for run_overrides in overrides_by_run]
    runs = tuple(SystemRun(config, out / "runs" / name / f"seed-{config.seed}", finished=False) for config in configs)
    return System((name,), file, runs)


def concerns_test(override: str) -> bool:
    """Whether an override "a.b=c" is about translating and scoring, so that it concerns finished runs too."""
    return override.strip().startswith(("evaluation.", "data.test"))


def _read_run(path: Path, overrides: Sequence[str]) -> System:
    run = Run.open(path)
    config = load_config(path / CONFIG, [override for override in overrides if concerns_test(override)])
    if not run.finished:
        raise UsageError(
            f"{path}: this run is not finished", "go on with `seq2attn train` first; compare trains configs only"
        )
    whole = path.resolve()
    name = whole.parent.name if whole.name == f"seed-{config.seed}" else whole.name
    return System((name,), str(path), (SystemRun(config, path, finished=True),))


def _join_seeds(old: System, new: System) -> System:
    """Runs of one folder with different seeds are one system; anything else of the same name is a clash."""
    runs = (*old.runs, *new.runs)
    beside = all(run.finished for run in runs) and len({run.path.resolve().parent for run in runs}) == 1
    seeds = {run.config.seed for run in runs}
    if not beside or len(seeds) < len(runs):
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
    return System(old.names, old.origin, runs)


def _merge_equal(systems: Iterable[System]) -> list[System]:
    """Systems to be trained whose configs are equal become one, so that nothing is trained twice."""
    merged: list[System] = []
    for new in systems:
        index = next((index for index, old in enumerate(merged) if _are_equal(old, new)), None)
        if index is None:
            merged.append(new)
        else:
            old = merged[index]
            merged[index] = System(old.names + new.names, f"{old.origin} = {new.origin}", old.runs)
    return merged


def _are_equal(a: System, b: System) -> bool:
    finished = any(run.finished for run in (*a.runs, *b.runs))
    return not finished and [run.config for run in a.runs] == [run.config for run in b.runs]


def choose_baseline(systems: Sequence[System], wanted: str | None) -> str:
    """The name of the baseline: `wanted`, else the first system whose decoder is `lstm`, else the first system.

    Raises UsageError if no system has the wanted name.
    """
    if wanted is None:
        lstm = (system for system in systems if system.config.model.decoder.type == "lstm")
        return next(lstm, systems[0]).name
    names = {name: system.name for system in systems for name in system.names}
    if wanted not in names:
        near = difflib.get_close_matches(wanted, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"one of: {', '.join(names)}"
        raise UsageError(f"--baseline {wanted}: no system of that name", hint)
    return names[wanted]


def choose_test(systems: Sequence[System], text: str | None) -> Source:
    """The test set of all systems: the one that `text` names, else data.test, which all configs must have in common.

    `text` is what the option --test takes.
    Raises UsageError if the systems differ in what BLEU depends on: languages, test set, case or tokenizer.
    """
    _check_comparable(systems)
    if text is not None:
        return build_named_source(systems[0].config, text)
    chosen: Source | None = None
    for system in systems:
        source = _find_test(system)
        if source is None:
            message = f"{system.name} has no data.test"
            raise UsageError(message, "name a test set with --test, or --set data.test=PREFIX")
        if chosen is not None and source != chosen and source.fingerprint() != chosen.fingerprint():
            raise UsageError(
                f"{systems[0].name} and {system.name} have different test sets in data.test",
                "name one for all with --test",
            )
        chosen = source
    assert chosen is not None  # there is a system
    return chosen


def _find_test(system: System) -> Source | None:
    """The system's own test set. Raises UsageError if it is not there."""
    run = system.runs[0]
    if run.finished:
        return find_source(run.config, "test", run.path)
    source = build_test_source(run.config)
    if source is not None:
        try:
            with name_key("test"):
                source.fingerprint()
        except SourceError as error:
            raise UsageError(f"{system.name}: {error.message}", error.hint) from error
    return source


def _check_comparable(systems: Sequence[System]) -> None:
    first, *others = systems
    for other in others:
        for section, keys in (("data", ("source", "target")), ("evaluation", ("lowercase", "tokenize"))):
            for key in keys:
                ours, theirs = (getattr(getattr(system.config, section), key) for system in (first, other))
                if ours != theirs:
                    raise UsageError(
                        f"{section}.{key} is {ours} in {first.name} but {theirs} in {other.name}",
                        "their BLEU cannot be compared; set the same in both",
                    )
