"""What the figures say, in plain words: every claim is computed from the numbers that stand below it."""

import math

from seq2attn.compare.report.results import FEW, Comparison, SystemResult, size_spread
from seq2attn.evaluation.by_length import Bucket
from seq2attn.evaluation.novelty import Novelty
from seq2attn.tables import signed

FALL = 10.0  # BLEU points between the best and the longest sentences from which we speak of a fall
SIGNIFICANT = 0.05

_BY_DECODER = {
    "lstm": "without attention",
    "bahdanau": "with Bahdanau attention",
    "luong": "with Luong attention",
    "transformer": "with the Transformer",
}


def labels(systems: tuple[SystemResult, ...]) -> dict[str, str]:
    """How a sentence speaks of each system: by its decoder where only one has it, else by its name."""
    decoders = [system.decoder for system in systems]
    return {
        system.name: _BY_DECODER[system.decoder]
        if system.decoder in _BY_DECODER and decoders.count(system.decoder) == 1
        else f"with “{system.name}”"
        for system in systems
    }


def solid_buckets(system: SystemResult) -> list[tuple[Bucket, float]]:
    """The buckets that hold enough sentences for a claim, with their BLEU."""
    return [(bucket, bucket.bleu) for bucket in system.by_length if bucket.bleu is not None and bucket.sentences >= FEW]


def headline(comparison: Comparison) -> str:
    """One sentence on the baseline and the best other system: BLEU by source length, or as a whole without lengths."""
    if not comparison.systems:
        return "No system is trained yet."
    names = labels(comparison.systems)
    first, *others = _baseline_first(comparison)
    best = max(others, key=lambda system: system.bleu, default=None)
    if len(solid_buckets(first)) < 2:
        rest = "" if best is None else f", {names[best.name]} {best.bleu:.1f}"
        return _sentence(f"{names[first.name]} BLEU is {first.bleu:.1f}{rest}")
    rest = "" if best is None else f"; {names[best.name]} it {_course(best)}"
    return _sentence(f"{names[first.name]} BLEU {_course(first)}{rest}")


def _course(system: SystemResult) -> str:
    """What BLEU does from the shortest to the longest sentences."""
    buckets = solid_buckets(system)
    best, top = max(buckets, key=lambda pair: pair[1])
    lowest, bottom = min(buckets, key=lambda pair: pair[1])
    last = buckets[-1][1]
    if top - last >= FALL:
        start = "the shortest sentences" if best is buckets[0][0] else f"sentences of {best.label} words"
        return f"falls from {top:.0f} on {start} to {last:.0f} on the longest"
    if top - bottom >= FALL:
        return f"is lowest ({bottom:.0f}) on sentences of {lowest.label} words and {last:.0f} on the longest"
    return f"stays within {max(1, math.ceil(top - bottom))} of its best ({top:.0f}) at every length"


def remarks(comparison: Comparison) -> list[str]:
    """The sentences below the headline: the whole test set, the systems left out above, and what is missing."""
    if not comparison.systems:
        return []
    names = labels(comparison.systems)
    first, *others = _baseline_first(comparison)
    clauses = [f"BLEU {first.bleu:.1f} {names[first.name]}"]
    clauses += [f"{system.bleu:.1f} {names[system.name]}{_tested(comparison, system)}" for system in others]
    found = [f"On the whole test set: {', '.join(clauses)}."]
    best = max(others, key=lambda system: system.bleu, default=None)
    if len(solid_buckets(first)) > 1:
        rest = [f"{names[system.name]} BLEU {_course(system)}" for system in others if system is not best]
        found += [_sentence("; ".join(rest))] if rest else []
    if comparison.test.synthetic:
        found.append("The sentences come from a grammar, not from people; 100 BLEU is perfect.")
    if comparison.pending:
        found.append(f"Still to come: {', '.join(comparison.pending)}.")
    return found


def _tested(comparison: Comparison, system: SystemResult) -> str:
    """The difference to the baseline in brackets, and whether it may be chance."""
    test = comparison.against_baseline(system.name)
    if test is None:
        return ""
    difference = signed(test.bleu_difference)
    if test.p_value is None:
        return f" ({difference}, not tested: no seed in common)"
    return f" ({difference}, {p_text(test.p_value)}{'' if test.p_value < SIGNIFICANT else ': may be chance'})"


def caveats(comparison: Comparison) -> list[str]:
    """What a reader has to know before believing the figures."""
    found = []
    test = comparison.test
    if test.synthetic:
        found.append(
            "These sentences come from a grammar that ships with seq2attn, not from people. Its translation is a "
            "function of the source, so 100 BLEU is perfect, and figures here say nothing about real text."
        )
        if test.novelty is not None:
            found.append(_novelty_text(test.novelty))
    if comparison.one_seed and comparison.systems:
        found.append(
            "With one seed, p covers the choice of test sentences only, not training luck: another seed gives another "
            "model. Use --seeds 1,2,3 to see how far the runs of one system differ."
        )
    sizes = (
        size_spread({system.name: system.parameters for system in comparison.systems}) if comparison.systems else None
    )
    if sizes is not None:
        found.append(sizes)
    few = sorted(
        {(b.low, b.label, b.sentences) for s in comparison.systems for b in s.by_length if 0 < b.sentences < FEW}
    )
    if few:
        listed = ", ".join(f"{label} words ({count})" for _, label, count in few)
        found.append(
            f"Fewer than {FEW} sentences, so little weight: {listed}. The curve shows them hollow and dashed; the "
            "headline leaves them out."
        )
    return found


def _novelty_text(novelty: Novelty) -> str:
    if not novelty.distinct:
        return f"The test translations are too short to hold any {novelty.order}-gram."
    return (
        f"Of the {novelty.distinct:,} distinct {novelty.order}-grams of words in the test translations, "
        f"{novelty.distinct_unseen:,} ({novelty.distinct_unseen / novelty.distinct:.0%}) never occur in training; "
        f"counted with repetitions, {novelty.tokens_unseen:,} of {novelty.tokens:,} "
        f"({novelty.tokens_unseen / novelty.tokens:.0%})."
    )


def p_text(p_value: float) -> str:
    """p with the digits that the resamples carry: the smallest of 10,000 is 0.0001."""
    return "p ≤ 0.0001" if p_value <= 0.0001 else f"p = {p_value:.4f}" if p_value < 0.01 else f"p = {p_value:.2f}"


def _baseline_first(comparison: Comparison) -> list[SystemResult]:
    return sorted(comparison.systems, key=lambda system: system.name != comparison.baseline)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
