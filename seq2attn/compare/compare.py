"""Many systems, many seeds, one test set, one report: trains what is missing and compares everything alike."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

import seq2attn
from seq2attn import machine
from seq2attn.build.corpora import hash_sources, load_corpora
from seq2attn.build.data import build_source
from seq2attn.build.model import build_network
from seq2attn.compare.report.page import examples_of, to_html, to_markdown
from seq2attn.compare.report.results import Comparison, Significance, TestSet, size_spread, to_json
from seq2attn.compare.scoring import Task, Tested, scoring, tested
from seq2attn.compare.systems import Contestant, Entry, choose_baseline, contestants, shared_test
from seq2attn.config.config import Config
from seq2attn.data.sources import Source
from seq2attn.data.sources_grammar import GrammarSplit
from seq2attn.durable import write_whole
from seq2attn.evaluation.bleu import bleu_metric
from seq2attn.evaluation.novelty import Novelty, novelty
from seq2attn.evaluation.significance import largest_p
from seq2attn.runs.directory import Run
from seq2attn.runs.opening import open_run
from seq2attn.runs.parallel import start_trainings
from seq2attn.runs.progress import say
from seq2attn.runs.train import train


def compare(
    systems: Sequence[str],
    out: Path,
    *,
    seeds: Sequence[int] = (),
    test: str | None = None,
    baseline: str | None = None,
    overrides: Sequence[str] = (),
    device: str = "auto",
    threads: int | None = None,
    jobs: int = 1,
    command: str | None = None,
    after_each: Callable[[Comparison], None] | None = None,
) -> Comparison:
    """Trains the configs among `systems` into `out`/runs, tests all on one test set, and writes the report.

    `out`/report.html, report.md and report.json grow with each finished system, and `after_each` sees every state. Runs
    that are given are never trained. `jobs` are trained at a time and share the `threads`. `command` is what the report
    names to reproduce it. Raises UsageError before anything is trained if names clash, a run of another config is in the
    way, the baseline is unknown, or the systems cannot be compared.
    """
    entrants = contestants(systems, out, seeds=seeds, overrides=overrides)
    if (seeds or overrides) and any(entry.given for entrant in entrants for entry in entrant.entries):
        say("--seeds and --set concern configs; the runs that are given stay as they are")
    chosen = choose_baseline(entrants, baseline)
    source = shared_test(entrants, test)
    for entrant in entrants:
        for entry in entrant.entries:
            if not entry.given:
                open_run(entry.config, entry.path, machine.device(device))
    machine.set_up(threads)
    pairs = list(source.pairs())
    task = Task(
        out=out,
        sources=[pair.source for pair in pairs],
        references=[pair.target for pair in pairs],
        fingerprint=source.fingerprint(),
        scoring=scoring(entrants[0].config),
        device=device,
    )
    metric = bleu_metric(**task.scoring)  # a tokenizer that is missing shows before hours of training
    _announce({entrant.name: _parameters(entrant.entries[0]) for entrant in entrants})
    described = _test_set(source, task, entrants[0].config)
    done: dict[str, Tested] = {}
    significance: dict[str, Significance] = {}
    comparison = Comparison(described, (), chosen)
    with _training(entrants, jobs, device, threads) as trained:
        for entrant in entrants:
            done[entrant.name] = tested(task, entrant, trained)
            for name in done if chosen in done else ():
                if name != chosen and name not in significance:
                    ours, theirs = done[name], done[chosen]
                    p_value = largest_p(theirs.translations, ours.translations, task.references, metric=metric)
                    significance[name] = Significance(chosen, name, ours.result.bleu - theirs.result.bleu, p_value)
            comparison = Comparison(
                test=described,
                systems=tuple(each.result for each in done.values()),
                baseline=chosen,
                significance=tuple(significance[name] for name in done if name in significance),
                examples=examples_of(task.sources, task.references, _first_translations(done)),
                pending=tuple(later.name for later in entrants if later.name not in done),
                command=command or _command(systems, out, seeds, test, baseline, overrides, jobs),
                version=seq2attn.__version__,
            )
            write_report(comparison, out)
            if after_each is not None:
                after_each(comparison)
    return comparison


@contextmanager
def _training(
    entrants: Sequence[Contestant], jobs: int, device: str, threads: int | None
) -> Iterator[Callable[[Entry], None]]:
    """A function that returns when an entry is trained: here and now, or in processes beside this one."""
    if jobs == 1:
        yield lambda entry: train(entry.config, entry.path, device=device, threads=threads)
        return
    configs = {entry.path: entry.config for entrant in entrants for entry in entrant.entries if not entry.given}
    torch.set_num_threads(max(1, torch.get_num_threads() // jobs))  # testing takes its share too
    with start_trainings(configs, jobs=jobs, device=device, threads=torch.get_num_threads()) as trained:
        yield lambda entry: trained(entry.path)


def write_report(comparison: Comparison, out: Path) -> None:
    """Writes report.html, report.md and report.json into `out`, each at once."""
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "report.json", json.dumps(to_json(comparison), indent=2, ensure_ascii=False) + "\n")
    write_whole(out / "report.md", to_markdown(comparison))
    write_whole(out / "report.html", to_html(comparison))


def _parameters(entry: Entry) -> int:
    """Counted without memory for the weights; the subwords are trained here if they are not there yet."""
    if entry.given:
        return Run.open(entry.path).manifest.parameters
    tokenizer = load_corpora(entry.config, hash_sources(entry.config)).tokenizer
    with torch.device("meta"):
        return build_network(entry.config, tokenizer).parameter_count


def _announce(parameters: Mapping[str, int]) -> None:
    for name, count in parameters.items():
        say(f"{name}: {count:,} parameters")
    text = size_spread(parameters)
    if text is not None:
        say(text)


def _test_set(source: Source, task: Task, config: Config) -> TestSet:
    return TestSet(
        name=source.name,
        sentences=len(task.sources),
        synthetic=isinstance(source, GrammarSplit),
        source_language=config.data.source,
        target_language=config.data.target,
        novelty=_novelty(task, config) if isinstance(source, GrammarSplit) else None,
    )


def _novelty(task: Task, config: Config) -> Novelty:
    training = build_source(config, "train")
    return novelty((pair.target for pair in training.pairs()), task.references)


def _first_translations(done: Mapping[str, Tested]) -> dict[str, Sequence[str]]:
    return {name: next(iter(each.translations.values())) for name, each in done.items()}


def _command(
    systems: Sequence[str],
    out: Path,
    seeds: Sequence[int],
    test: str | None,
    baseline: str | None,
    overrides: Sequence[str],
    jobs: int,
) -> str:
    words = ["seq2attn", "compare", *systems, "--out", str(out)]
    words += ["--seeds", ",".join(map(str, seeds))] if seeds else []
    words += [] if test is None else ["--test", test]
    words += [] if baseline is None else ["--baseline", baseline]
    words += [] if jobs == 1 else ["--jobs", str(jobs)]
    return shlex.join([*words, *(word for override in overrides for word in ("--set", override))])
