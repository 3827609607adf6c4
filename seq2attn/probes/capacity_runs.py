"""Trains and tests the systems of `probe capacity`."""

import hashlib
from collections.abc import Sequence
from functools import partial
from math import log2
from pathlib import Path

import torch

from seq2attn import machine
from seq2attn.build.data import build_source
from seq2attn.config.config import Config
from seq2attn.config.data import GrammarConfig
from seq2attn.config.load import load_config
from seq2attn.data.cache import build_once
from seq2attn.errors import UsageError
from seq2attn.grammar.corpus import GrammarPair, generate
from seq2attn.probes.capacity import BITS, WORDS, Capacity, System, Translated, grouped
from seq2attn.resources import resource
from seq2attn.runs.directory import Run
from seq2attn.runs.hypotheses import translate_once
from seq2attn.runs.opening import check_run
from seq2attn.runs.parallel import start_trainings
from seq2attn.runs.progress import say

SYSTEMS = ("vector_64", "vector_128", "vector_256", "vector_512", "reversed", "uniform", "attention")
REPEATED = "vector_64, repeated"  # the config vector_64, on phrases that are said over and over
PHRASE_WORDS, REPEATS = 5, 4


def measure(
    out: Path,
    *,
    sentences: int,
    overrides: Sequence[str] = (),
    device: str = "auto",
    threads: int | None = None,
    jobs: int = 1,
) -> Capacity:
    """Train what is missing in `out`/runs, `jobs` at a time, and test every system on about `sentences` new sentences.

    Raises UsageError, before anything is trained, if a run of another config is in the way.
    """
    machine.set_up_torch(threads)
    plain = {name: load_config(resource("configs/capacity") / f"{name}.yaml", overrides) for name in SYSTEMS}
    first = plain[SYSTEMS[0]]
    grammar = first.data.train
    if not isinstance(grammar, GrammarConfig):
        raise UsageError(
            f"--set: data.train is {grammar.type}", "only the grammar knows how much information a sentence has"
        )
    phrases = build_once(out / "phrases" / f"{grammar.pairs}-{grammar.seed}", partial(_write_phrases, grammar))
    own_data = [f"data.{role}={phrases / role}" for role in ("train", "validation")]
    repeated = load_config(resource(f"configs/capacity/{SYSTEMS[0]}.yaml"), [*overrides, *own_data, "data.test=null"])
    configs = plain | {REPEATED: repeated}
    paths = {name: out / "runs" / name.replace(", ", "_") for name in configs}
    for name, config in configs.items():
        check_run(config, paths[name], machine.choose_device(device))
    new, new_repeated = _new_sentences(first, grammar, sentences), _new_phrases(phrases, grammar, sentences)
    systems: list[System] = []
    share = max(1, torch.get_num_threads() // jobs)
    with start_trainings(
        {paths[name]: config for name, config in configs.items()}, jobs=jobs, device=device, threads=share
    ) as trained:
        for name, config in configs.items():
            trained(paths[name])
            pairs = new_repeated if name == REPEATED else new
            systems.append(_tested(name, config, paths[name], pairs, out, device))
            say(f"{name}: tested; {len(systems)} of {len(configs)} systems")
    return Capacity(tuple(systems))


def _tested(name: str, config: Config, run: Path, pairs: Sequence[GrammarPair], out: Path, device: str) -> System:
    sources = [pair.source for pair in pairs]
    hypotheses = translate_once(
        run,
        config,
        sources,
        fingerprint=hashlib.sha256("\n".join(sources).encode()).hexdigest(),
        file=out / "hypotheses" / f"{run.name}.txt",
        device=device,
    )
    tested = [
        Translated(len(pair.source.split()), pair.bits, hypothesis, pair.target)
        for pair, hypothesis in zip(pairs, hypotheses, strict=True)
    ]
    return System(
        name,
        Run.open(run).manifest.parameters,
        by_words=grouped(tested, WORDS, lambda each: each.words),
        by_bits=grouped(tested, BITS, lambda each: each.bits),
    )


def _new_sentences(config: Config, grammar: GrammarConfig, count: int) -> list[GrammarPair]:
    """As many long as short ones, none of them in the training set."""
    known = {pair.source for pair in build_source(config, "train").pairs()}
    drawn = generate(pairs=count, max_words=grammar.max_words, seed=grammar.seed + 1, shares=grammar.shares).train
    return [pair for pair in drawn if pair.source not in known]


def _phrases(count: int, seed: int) -> list[GrammarPair]:
    """Sentences of up to PHRASE_WORDS words: a third of the `count` that are drawn."""
    drawn = generate(pairs=count, max_words=2 * PHRASE_WORDS, seed=seed).train
    return [pair for pair in drawn if len(pair.source.split()) <= PHRASE_WORDS]


def _repetitions(phrases: Sequence[GrammarPair]) -> list[GrammarPair]:
    """Each phrase one to REPEATS times in a row: longer, with hardly more information."""
    return [
        GrammarPair(" ".join([p.source] * times), " ".join([p.target] * times), (), p.bits + log2(REPEATS))
        for p in phrases
        for times in range(1, REPEATS + 1)
    ]


def _write_phrases(grammar: GrammarConfig, folder: Path) -> None:
    phrases = _phrases(grammar.pairs, grammar.seed)[: grammar.pairs // REPEATS]
    held_out = max(1, min(50, len(phrases) // 10))
    for role, own in (("validation", phrases[:held_out]), ("train", phrases[held_out:])):
        pairs = _repetitions(own)
        for language, lines in (("en", [pair.source for pair in pairs]), ("de", [pair.target for pair in pairs])):
            (folder / f"{role}.{language}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _new_phrases(folder: Path, grammar: GrammarConfig, count: int) -> list[GrammarPair]:
    """Phrases that are neither in the training nor in the validation set, repeated."""
    known = {
        line for role in ("train", "validation") for line in (folder / f"{role}.en").read_text("utf-8").split("\n")
    }
    phrases = [pair for pair in _phrases(count, grammar.seed + 1) if pair.source not in known]
    return _repetitions(phrases)[:count]
