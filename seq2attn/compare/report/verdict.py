"""What the figures say, in plain words: every claim is computed from the numbers shown below it."""

from seq2attn.compare.report.results import FEW, Comparison, SystemResult, describe_size_spread
from seq2attn.evaluation.by_length import Bucket
from seq2attn.evaluation.novelty import Novelty
from seq2attn.evaluation.significance import RESAMPLES
from seq2attn.tables import format_signed

FALL = 10.0  # BLEU points that the longest sentences must lie below the best ones to be called a fall
SIGNIFICANT = 0.05
LEARNED = 5.0  # BLEU that a system must reach at some length before a sentence speaks of its course

_BY_DECODER = {
    "lstm": "without attention",
    "bahdanau": "with Bahdanau attention",
    "luong": "with Luong attention",
    "gnmt": "with attention from the first layer",
    "transformer": "with the Transformer",
}


def name_systems(systems: tuple[SystemResult, ...]) -> dict[str, str]:
    """How a sentence speaks of every system: by its decoder if no other system has it, else by its name."""
    decoders = [system.decoder for system in systems]
    return {
        system.name: _BY_DECODER[system.decoder]
        if system.decoder in _BY_DECODER and decoders.count(system.decoder) == 1
        else f"with “{system.name}”"
        for system in systems
    }


def list_large_buckets(system: SystemResult) -> list[tuple[Bucket, float]]:
    """The buckets that hold enough sentences for a claim, with their BLEU."""
    return [(bucket, bucket.bleu) for bucket in system.by_length if bucket.bleu is not None and bucket.sentences >= FEW]


def write_headline(comparison: Comparison) -> str:
    """One sentence on the baseline and the best other system: BLEU by source length, or as a whole without lengths."""
    if not comparison.systems:
        return "No system is trained yet." if comparison.pending or not comparison.failed else "All systems failed."
    names = name_systems(comparison.systems)
    first, *others = _sort_baseline_first(comparison)
    best = max(others, key=lambda system: system.bleu, default=None)
    if len(list_large_buckets(first)) < 2:
        rest = "" if best is None else f", {names[best.name]} {best.bleu:.1f}"
        return _make_sentence(f"{names[first.name]} BLEU is {first.bleu:.1f}{rest}")
    rest = "" if best is None else f"; {names[best.name]} it {_describe_course(best, comparison.test.unit)}"
    return _make_sentence(f"{names[first.name]} BLEU {_describe_course(first, comparison.test.unit)}{rest}")


def _describe_course(system: SystemResult, unit: str) -> str:
    """What BLEU does from the shortest to the longest sentences; what has not learned yet has no course."""
    buckets = list_large_buckets(system)
    best, top = max(buckets, key=lambda pair: pair[1])
    lowest, bottom = min(buckets, key=lambda pair: pair[1])
    first, last = buckets[0][1], buckets[-1][1]
    if top < LEARNED:
        return f"is {top:.0f} at best, so it has not learned to translate yet"
    if top - last >= FALL:
        start = "the shortest sentences" if best is buckets[0][0] else f"sentences of {best.label} {unit}"
        return f"falls from {top:.0f} on {start} to {last:.0f} on the longest"
    if top - bottom >= FALL:
        return f"is lowest ({bottom:.0f}) on sentences of {lowest.label} {unit} and {last:.0f} on the longest"
    return f"is {first:.0f} on the shortest sentences and {last:.0f} on the longest"


def list_remarks(comparison: Comparison) -> list[str]:
    """The sentences below the headline: the whole test set, the systems left out above, and what is missing."""
    if not comparison.systems:
        return _list_failures(comparison)
    names = name_systems(comparison.systems)
    first, *others = _sort_baseline_first(comparison)
    clauses = [f"BLEU {first.bleu:.1f} {names[first.name]}"]
    clauses += [
        f"{system.bleu:.1f} {names[system.name]}{_describe_difference(comparison, system)}" for system in others
    ]
    test = comparison.test
    on = (
        "the whole test set" if test.whole is None else f"the first {test.sentences:,} of {test.whole:,} test sentences"
    )
    sentences = [f"On {on}: {', '.join(clauses)}."]
    if test.whole is not None:
        sentences.append("This is a quick look (--sentences): figures on the whole test set will differ.")
    best = max(others, key=lambda system: system.bleu, default=None)
    if len(list_large_buckets(first)) > 1:
        rest = [
            f"{names[system.name]} BLEU {_describe_course(system, test.unit)}"
            for system in others
            if system is not best
        ]
        sentences += [_make_sentence("; ".join(rest))] if rest else []
    sentences += _describe_length_effect(comparison)
    if comparison.test.synthetic:
        sentences.append("The sentences come from a grammar, not from people; 100 BLEU is perfect.")
    if comparison.pending:
        sentences.append(f"Still to come: {', '.join(comparison.pending)}.")
    return sentences + _list_failures(comparison)


def _describe_length_effect(comparison: Comparison) -> list[str]:
    """A sentence on how the distance between the baseline and the best other system changes with length, with its interval."""
    effect = comparison.length_effect
    if effect is None:
        return []
    low, high = effect.interval
    lead = f"The lead {name_systems(comparison.systems)[effect.system]}"
    shortest, longest = (format_signed(lead_there) for lead_there in (effect.shortest, effect.longest))
    ends = f"{shortest} BLEU on the shortest sentences", f"{longest} on the longest"
    interval = f"95 % interval over test sentences {format_signed(low)} to {format_signed(high)}"
    if low <= 0 <= high:
        return [
            f"{lead} is {ends[0]} and {ends[1]}; the change, {format_signed(effect.growth)} ({interval}), may be chance."
        ]
    course = "grows" if effect.growth > 0 else "shrinks"
    return [f"{lead} {course} from {ends[0]} to {ends[1]}: {format_signed(effect.growth)} ({interval})."]


def _list_failures(comparison: Comparison) -> list[str]:
    return [f"{failure.system} failed: {failure.reason}" for failure in comparison.failed]


def _describe_difference(comparison: Comparison, system: SystemResult) -> str:
    """In brackets the difference to the baseline and p, with a remark if it may be chance."""
    significance = comparison.against_baseline(system.name)
    if significance is None:
        return ""
    difference = format_signed(significance.bleu_difference)
    if significance.p_value is None:
        return f" ({difference}, not tested: no seed in common)"
    return f" ({difference}, {describe_p(significance.p_value)}{'' if significance.p_value < SIGNIFICANT else ': may be chance'})"


def list_caveats(comparison: Comparison) -> list[str]:
    """What a reader has to know before trusting the figures."""
    caveats = []
    test = comparison.test
    if test.synthetic:
        caveats.append(
            "These sentences come from a grammar that ships with seq2attn, not from people. Its translation is a "
            "function of the source, so 100 BLEU is perfect, and figures here say nothing about real text."
        )
        if test.novelty is not None:
            caveats.append(_describe_novelty(test.novelty))
    caveats += [f"{remark}." for remark in test.remarks]
    caveats += _describe_want_of_training(comparison)
    caveats += _describe_known_pairs(comparison)
    caveats += _describe_remarks(comparison)
    if comparison.one_seed and comparison.systems:
        caveats.append(
            "With one seed, p covers the choice of test sentences only, not training luck: another seed gives another "
            "model. Use --seeds 1,2,3 to see how far the runs of one system differ."
        )
    sizes = (
        describe_size_spread({system.name: system.parameters for system in comparison.systems}, comparison.baseline)
        if comparison.systems
        else None
    )
    if sizes is not None:
        caveats.append(sizes)
    few = sorted(
        {(b.low, b.label, b.sentences) for s in comparison.systems for b in s.by_length if 0 < b.sentences < FEW}
    )
    if few:
        listed = ", ".join(f"{label} {test.unit} ({count})" for _, label, count in few)
        caveats.append(
            f"Fewer than {FEW} sentences, so little weight: {listed}. The curve shows them hollow and dashed; the "
            "headline leaves them out."
        )
    return caveats


def _describe_want_of_training(comparison: Comparison) -> list[str]:
    """A sentence where the baseline is far behind on its shortest sentences already: then length is not all that it lacks."""
    if len(comparison.systems) < 2:
        return []
    first, *others = _sort_baseline_first(comparison)
    best = max(others, key=lambda system: system.bleu)
    buckets = list_large_buckets(first)
    if len(buckets) < 2:
        return []
    (bucket, own), (_, better) = buckets[0], list_large_buckets(best)[0]
    if better - own < FALL:
        return []
    return [
        f"On the shortest sentences ({bucket.label} {comparison.test.unit}) the baseline has {own:.0f} BLEU and {best.name} "
        f"{better:.0f}, so length is not all that the baseline lacks: it might not be trained to its end. Longer training "
        "(--set training.max_updates=N) shows it."
    ]


def _describe_known_pairs(comparison: Comparison) -> list[str]:
    """A sentence for all systems that have seen equally many of the test pairs in training."""
    names: dict[int | None, list[str]] = {}
    for system in comparison.systems:
        names.setdefault(system.known_pairs, []).append(system.name)
    return [
        f"The training text of {', '.join(systems)} is gone: whether the test set lies in it cannot be told."
        if known is None
        else f"{known:,} of {comparison.test.sentences:,} test pairs {'is' if known == 1 else 'are'} "
        f"in the training text of {', '.join(systems)}, which makes the scores too high."
        for known, systems in names.items()
        if known != 0
    ]


def _describe_remarks(comparison: Comparison) -> list[str]:
    """A sentence for each remark on translations, with the runs that it concerns."""
    names: dict[str, list[str]] = {}
    for system in comparison.systems:
        for run in system.runs:
            for remark in run.remarks:
                names.setdefault(remark, []).append(f"{system.name} (seed {run.seed})")
    return [f"{', '.join(runs)}: {remark}." for remark, runs in names.items()]


def _describe_novelty(novelty: Novelty) -> str:
    if not novelty.distinct:
        return f"The test translations are too short to hold any {novelty.order}-gram."
    return (
        f"Of the {novelty.distinct:,} distinct {novelty.order}-grams of words in the test translations, "
        f"{novelty.distinct_unseen:,} ({novelty.distinct_unseen / novelty.distinct:.0%}) never occur in training; "
        f"counted with repetitions, {novelty.tokens_unseen:,} of {novelty.tokens:,} "
        f"({novelty.tokens_unseen / novelty.tokens:.0%})."
    )


def describe_p(p_value: float) -> str:
    """p with the digits that the resamples carry; the smallest possible one is 1 / RESAMPLES."""
    smallest = 1 / RESAMPLES
    return (
        f"p ≤ {smallest:.4f}"
        if p_value <= smallest
        else f"p = {p_value:.4f}"
        if p_value < 0.01
        else f"p = {p_value:.2f}"
    )


def _sort_baseline_first(comparison: Comparison) -> list[SystemResult]:
    return sorted(comparison.systems, key=lambda system: system.name != comparison.baseline)


def _make_sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
