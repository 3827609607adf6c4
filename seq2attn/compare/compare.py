"""Many systems, many seeds, one test set, one report: trains what is missing and compares everything alike."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch

import seq2attn
from seq2attn.build.data import build_source
from seq2attn.build.evaluation import build_bleu
from seq2attn.compare.preparing import list_untrained, prepare, refuse_other_runs, tell_failure
from seq2attn.compare.report.excerpts import take_excerpts
from seq2attn.compare.report.page import render_html, render_markdown, render_svg
from seq2attn.compare.report.results import Comparison, LengthEffect, Significance, TestSet, to_json
from seq2attn.compare.runner import LocalRunner, Runner
from seq2attn.compare.scoring import EvaluatedSystem, Task, evaluate_system, measure_length_effect
from seq2attn.compare.systems import System, choose_baseline, choose_test, concerns_test, read_systems
from seq2attn.data.headers import describe_header
from seq2attn.data.sources import Source
from seq2attn.data.sources_grammar import GrammarSplit
from seq2attn.durable import write_whole
from seq2attn.errors import Seq2attnError
from seq2attn.evaluation.by_length import choose_unit
from seq2attn.evaluation.novelty import measure_novelty
from seq2attn.evaluation.references import describe_references
from seq2attn.evaluation.significance import find_largest_p
from seq2attn.machine import choose_device, set_up_torch
from seq2attn.runs.overlap import describe_known_pairs
from seq2attn.runs.progress import say
from seq2attn.runs.signals import InterruptedRunError


@dataclass(frozen=True)
class Question:
    """What is to be compared, as `seq2attn compare` is asked for it.

    `systems` are config files and folders of finished runs; reports, runs and translations go into `out`. `seeds` and
    `overrides` concern configs; overrides of evaluation and data.test concern the runs too. `test` is the prefix of the
    test set's files, None for data.test of the configs; `baseline` the name of a system, None for the first one without
    attention. Only the first `sentences` of the test set are used, None: all of them.
    """

    systems: tuple[str, ...]
    out: Path
    seeds: tuple[int, ...] = ()
    test: str | None = None
    baseline: str | None = None
    overrides: tuple[str, ...] = ()
    sentences: int | None = None

    def to_command(self) -> tuple[str, ...]:
        """The words of the command line that asks it."""
        words = ["seq2attn", "compare", *self.systems, "--out", str(self.out)]
        words += ["--seeds", ",".join(map(str, self.seeds))] if self.seeds else []
        words += [] if self.test is None else ["--test", self.test]
        words += [] if self.baseline is None else ["--baseline", self.baseline]
        words += [] if self.sentences is None else ["--sentences", str(self.sentences)]
        return (*words, *(word for override in self.overrides for word in ("--set", override)))


@dataclass(frozen=True)
class Plan:
    """The question, read: systems that can be compared, the baseline's name, and the test set.

    `sentences` is how many of the test set's are used, from the first on; None: all.
    """

    systems: tuple[System, ...]
    baseline: str
    test: Source
    sentences: int | None = None


def compare(
    question: Question,
    *,
    device: str = "auto",
    threads: int | None = None,
    jobs: int = 1,
    command: Sequence[str] = (),
    after_each: Callable[[Comparison], None] = lambda comparison: None,
) -> Comparison:
    """Train what is missing on this machine, evaluate all systems on the same test set, and write the reports.

    `jobs` runs are trained at a time and share `threads` CPU threads (None: as many as PyTorch chooses). report.html,
    report.md, report.json and curve.svg are written anew after each system, and `after_each` is called. The report says that
    `command` reproduces it (default: that of the question), with the device, the threads and the jobs that were used.

    A system that cannot be trained or tested is listed in `failed`; the others go on.

    Raises UsageError before anything is trained if names clash, a run of another config is in the way, the baseline is
    unknown, or the systems cannot be compared; InterruptedRunError after a signal.
    """
    plan = make_plan(question)
    chosen = choose_device(device)
    set_up_torch(threads)
    machine = ["--device", str(chosen), "--threads", str(torch.get_num_threads()), "--jobs", str(jobs)]

    def publish(comparison: Comparison) -> None:
        write_reports(comparison, question.out)
        after_each(comparison)

    return run_plan(
        plan,
        LocalRunner(str(chosen), jobs),
        question.out,
        command=shlex.join([*(command or question.to_command()), *machine]),
        after_each=publish,
    )


def make_plan(question: Question) -> Plan:
    """Read the systems and choose baseline and test set. Raises UsageError if they cannot be compared."""
    systems = read_systems(question.systems, question.out, seeds=question.seeds, overrides=question.overrides)
    trained = question.seeds or not all(map(concerns_test, question.overrides))
    if trained and any(run.finished for system in systems for run in system.runs):
        say("--seeds and --set train configs otherwise; the runs that are given stay as they are")
    baseline = choose_baseline(systems, question.baseline)
    return Plan(tuple(systems), baseline, choose_test(systems, question.test), question.sentences)


def run_plan(
    plan: Plan, runner: Runner, out: Path, *, command: str, after_each: Callable[[Comparison], None]
) -> Comparison:
    """Train and evaluate one system after the other with `runner`; `after_each` gets the comparison so far."""
    refuse_other_runs(plan.systems, runner)
    task = read_task(plan, out)
    task.bleu.metric()  # a tokenizer that is missing shows before hours of training
    usable, failed = prepare(plan.systems, plan.baseline, runner)
    comparison = Comparison(
        describe_test(plan, task, usable),
        (),
        plan.baseline,
        command=command,
        version=seq2attn.__version__,
        pending=tuple(system.name for system in usable),
        failed=tuple(failed.values()),
    )
    for remark in comparison.test.remarks:
        say(remark)
    if failed:
        after_each(comparison)
    evaluated: dict[str, EvaluatedSystem] = {}
    significance: dict[str, Significance] = {}
    with runner.start_training(list_untrained(usable)) as wait:
        for system in usable:
            try:
                for run in system.runs:
                    if not run.finished:
                        wait(run)
                evaluated[system.name] = evaluate_system(task, system, runner)
                if note := describe_known_pairs(evaluated[system.name].result.known_pairs, len(task.sources)):
                    say(f"{system.name}: {note}")
            except InterruptedRunError:
                raise
            except Seq2attnError as error:
                failed[system.name] = tell_failure(system, run, error)
            significance = compare_with_baseline(evaluated, significance, plan.baseline, task)
            comparison = replace(
                comparison,
                systems=tuple(system.result for system in evaluated.values()),
                significance=tuple(significance.values()),
                length_effect=find_length_effect(evaluated, plan.baseline),
                excerpts=take_excerpts(
                    task.sources,
                    task.references,
                    {name: evaluated[name].first_hypotheses for name in evaluated},
                    task.unit,
                ),
                pending=tuple(system.name for system in usable if system.name not in evaluated | failed),
                failed=tuple(failed.values()),
            )
            after_each(comparison)
    return comparison


def read_task(plan: Plan, out: Path) -> Task:
    """Read the test set; BLEU's settings are those that all systems share."""
    pairs = list(islice(plan.test.pairs(), plan.sentences))
    return Task(
        sources=[pair.source for pair in pairs],
        references=[pair.target for pair in pairs],
        bleu=build_bleu(plan.systems[0].config),
        fingerprint=plan.test.fingerprint(),
        unit=choose_unit(plan.systems[0].config.data.source),
        folder=out / ("hypotheses" if plan.sentences is None else f"hypotheses-first-{plan.sentences}"),
    )


def describe_test(plan: Plan, task: Task, usable: Sequence[System]) -> TestSet:
    """What the report says of the test set; for the embedded corpus also how much of it is new to the first usable system."""
    data, synthetic = plan.systems[0].config.data, isinstance(plan.test, GrammarSplit)
    training = build_source(usable[0].config, "train").pairs() if synthetic and usable else ()
    first, languages = (task.sources[0], task.references[0]), (data.source, data.target)
    header = describe_header(plan.test, plan.test.locate(1), first, "test", languages)
    whole = None if plan.sentences is None else sum(1 for _ in plan.test.pairs())
    return TestSet(
        name=plan.test.name,
        sentences=len(task.sources),
        synthetic=synthetic,
        source_language=data.source,
        target_language=data.target,
        novelty=measure_novelty((pair.target for pair in training), task.references) if synthetic else None,
        unit=task.unit,
        remarks=(*filter(None, [header]), *describe_references(task.references, task.bleu)),
        whole=whole if whole != len(task.sources) else None,
    )


def compare_with_baseline(
    evaluated: Mapping[str, EvaluatedSystem], known: Mapping[str, Significance], baseline: str, task: Task
) -> dict[str, Significance]:
    """The difference of each system to the baseline, once that is evaluated; those in `known` are not computed again."""
    if baseline not in evaluated:
        return {}
    base, metric = evaluated[baseline], task.bleu.metric()
    significance = dict(known)
    for name, system in evaluated.items():
        if name != baseline and name not in known:
            difference = system.result.bleu - base.result.bleu
            p_value = find_largest_p(base.hypotheses, system.hypotheses, task.references, metric=metric)
            significance[name] = Significance(baseline, name, difference, p_value)
    return significance


def find_length_effect(evaluated: Mapping[str, EvaluatedSystem], baseline: str) -> LengthEffect | None:
    """That of the baseline beside the best other system, once there are two."""
    others = [system for name, system in evaluated.items() if name != baseline]
    if baseline not in evaluated or not others:
        return None
    return measure_length_effect(evaluated[baseline], max(others, key=lambda system: system.result.bleu))


def write_reports(comparison: Comparison, out: Path) -> None:
    """Write report.html, report.md, report.json and, once there are figures, curve.svg into `out`, each of them whole."""
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "report.json", json.dumps(to_json(comparison), indent=2, ensure_ascii=False) + "\n")
    write_whole(out / "report.md", render_markdown(comparison))
    write_whole(out / "report.html", render_html(comparison))
    drawing = render_svg(comparison)
    if drawing is not None:
        write_whole(out / "curve.svg", drawing)
