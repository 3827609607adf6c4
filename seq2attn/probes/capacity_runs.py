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
from seq2attn.config.model import LSTMDecoderConfig
from seq2attn.data.cache import build_once
from seq2attn.errors import DataError, UsageError
from seq2attn.grammar.corpus import GrammarPair, generate
from seq2attn.grammar.version import grammar_version
from seq2attn.probes.capacity import (
    BITS,
    WORDS,
    Capacity,
    MeasuredSystem,
    TranslatedSentence,
    group_sentences,
    measure_limit,
)
from seq2attn.resources import resource
from seq2attn.runs.directory import Run
from seq2attn.runs.hypotheses import translate_once
from seq2attn.runs.opening import check_run
from seq2attn.runs.parallel import start_trainings
from seq2attn.runs.progress import say

SYSTEMS = (
    *("vector_64", "vector_128", "vector_256", "vector_512", "vector_1024"),
    *("reversed", "uniform", "attention"),
)
AGAIN = ("vector_64", "vector_1024")  # are trained with two further seeds
REPEATED = "vector_64, repeated"  # the config vector_64, on phrases that are said over and over
PHRASE_WORDS, REPEATS = 5, 4


def measure_capacity(
    out: Path,
    *,
    sentences: int,
    overrides: Sequence[str] = (),
    device: str = "auto",
    threads: int | None = None,
    jobs: int = 1,
) -> Capacity:
    """Train what is missing in `out`/runs, `jobs` at a time, and test every system on about `sentences` new sentences.

    Raises UsageError, before anything is trained, if `out` cannot be written, or if a run in it has another config or was
    trained on other text.
    """
    machine.set_up_torch(threads)
    plain = {name: load_config(resource("configs/capacity") / f"{name}.yaml", overrides) for name in SYSTEMS}
    first = plain[SYSTEMS[0]]
    grammar = first.data.train
    if not isinstance(grammar, GrammarConfig):
        raise UsageError(
            f"--set: data.train is {grammar.type}", "only the grammar knows how much information a sentence has"
        )
    phrases = _prepare_phrases(out, grammar)
    data = [f"data.{role}={phrases / role}" for role in ("train", "validation")]
    repeated = load_config(resource(f"configs/capacity/{SYSTEMS[0]}.yaml"), [*overrides, *data, "data.test=null"])
    seeded = {
        f"{name}, seed {seed}": plain[name].model_copy(update={"seed": seed})
        for name in AGAIN
        if name in plain
        for seed in (first.seed + 1, first.seed + 2)
    }
    configs = plain | seeded | {REPEATED: repeated}
    paths = {name: out / "runs" / name.replace(", ", "_").replace(" ", "_") for name in configs}
    for name, config in configs.items():
        _check_run(config, paths[name], device)
    plain_test = _draw_new_sentences(first, grammar, sentences)
    repeated_test = _draw_new_phrases(phrases, grammar, sentences)
    systems: list[MeasuredSystem] = []
    share = max(1, torch.get_num_threads() // jobs)
    with start_trainings(
        {paths[name]: config for name, config in configs.items()}, jobs=jobs, device=device, threads=share
    ) as trained:
        for name, config in configs.items():
            trained(paths[name])
            pairs = repeated_test if name == REPEATED else plain_test
            systems.append(_test(name, config, paths[name], pairs, out, device))
            say(f"{name}: tested; {len(systems)} of {len(configs)} systems")
    return Capacity(tuple(systems))


def _check_run(config: Config, run: Path, device: str) -> None:
    """Raises UsageError, with a hint that fits this probe, if something else than a run of `config` is in the folder `run`."""
    try:
        check_run(config, run, machine.choose_device(device))
    except UsageError as error:
        hint = f"choose another --out, or remove {run} to train it again"
        raise UsageError(error.message, hint if run.exists() else error.hint) from error


def _test(name: str, config: Config, run: Path, pairs: Sequence[GrammarPair], out: Path, device: str) -> MeasuredSystem:
    sources = [pair.source for pair in pairs]
    hypotheses, _ = translate_once(
        run,
        config,
        sources,
        fingerprint=hashlib.sha256("\n".join(sources).encode()).hexdigest(),
        file=out / "hypotheses" / f"{run.name}.txt",
        device=device,
    )
    translations = [
        TranslatedSentence(len(pair.source.split()), pair.bits, hypothesis, pair.target)
        for pair, hypothesis in zip(pairs, hypotheses, strict=True)
    ]
    manifest, decoder = Run.open(run).manifest, config.model.decoder
    is_plain = name.startswith("vector") and name != REPEATED
    return MeasuredSystem(
        name,
        manifest.parameters,
        updates=manifest.updates,
        vector=decoder.bottleneck if is_plain and isinstance(decoder, LSTMDecoderConfig) else None,
        by_words=group_sentences(translations, WORDS, lambda sentence: sentence.words),
        by_bits=group_sentences(translations, BITS, lambda sentence: sentence.bits),
        words=measure_limit(translations, WORDS, lambda sentence: sentence.words),
        bits=measure_limit(translations, BITS, lambda sentence: sentence.bits),
    )


def _draw_new_sentences(config: Config, grammar: GrammarConfig, count: int) -> list[GrammarPair]:
    """`count` sentences, as many long as short ones, less those that are in the training set."""
    known = {pair.source for pair in build_source(config, "train").pairs()}
    drawn = generate(pairs=count, max_words=grammar.max_words, seed=grammar.seed + 1, shares=grammar.shares).train
    return [pair for pair in drawn if pair.source not in known]


def _draw_phrases(count: int, seed: int) -> list[GrammarPair]:
    """Those of `count` sentences that have at most PHRASE_WORDS words, about a third."""
    drawn = generate(pairs=count, max_words=2 * PHRASE_WORDS, seed=seed).train
    return [pair for pair in drawn if len(pair.source.split()) <= PHRASE_WORDS]


def _repeat(phrases: Sequence[GrammarPair]) -> list[GrammarPair]:
    """Each phrase once, twice, … up to REPEATS times in a row: longer, but with only log2(REPEATS) bits more."""
    return [
        GrammarPair(" ".join([p.source] * times), " ".join([p.target] * times), (), p.bits + log2(REPEATS))
        for p in phrases
        for times in range(1, REPEATS + 1)
    ]


def _prepare_phrases(out: Path, grammar: GrammarConfig) -> Path:
    """The folder with the repeated phrases of the training and the validation set, made on first use.

    Its name is a digest of all that the phrases depend on, so that another grammar or another setting writes others.
    Raises UsageError if `out` cannot be written.
    """
    settings = (
        grammar_version(),
        grammar.pairs,
        grammar.seed,
        grammar.max_words,
        grammar.shares,
        PHRASE_WORDS,
        REPEATS,
    )
    key = hashlib.sha256(repr(settings).encode()).hexdigest()[:16]
    try:
        return build_once(out / "phrases" / key, partial(_write_phrases, grammar))
    except DataError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        reason = error.__cause__.strerror or str(error.__cause__)
        raise UsageError(f"--out {out}: cannot be written: {reason}", "choose another --out") from error


def _write_phrases(grammar: GrammarConfig, folder: Path) -> None:
    """{train,validation}.{en,de} in `folder`."""
    phrases = _draw_phrases(grammar.pairs, grammar.seed)[: grammar.pairs // REPEATS]
    held_out = max(1, min(50, len(phrases) // 10))
    for role, members in (("validation", phrases[:held_out]), ("train", phrases[held_out:])):
        pairs = _repeat(members)
        for language, lines in (("en", [pair.source for pair in pairs]), ("de", [pair.target for pair in pairs])):
            (folder / f"{role}.{language}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _draw_new_phrases(folder: Path, grammar: GrammarConfig, count: int) -> list[GrammarPair]:
    """`count` pairs of repeated phrases that are neither in the training nor in the validation set."""
    known = {
        line for role in ("train", "validation") for line in (folder / f"{role}.en").read_text("utf-8").split("\n")
    }
    phrases = [pair for pair in _draw_phrases(count, grammar.seed + 1) if pair.source not in known]
    return _repeat(phrases)[:count]
