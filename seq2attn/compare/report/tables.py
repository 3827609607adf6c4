"""The two tables of a comparison as rows of text, and how a terminal and Markdown show them."""

from pathlib import Path

from seq2attn.compare.report.results import FEW, Comparison, SystemResult
from seq2attn.compare.report.verdict import describe_p, write_headline
from seq2attn.tables import Table, format_duration, format_signed, text_table


def make_systems_table(comparison: Comparison) -> Table:
    """Parameters, scores, the difference to the baseline and the cost of each system; those that failed come last."""
    header = ("system", "parameters", "BLEU", "chrF2", "vs baseline", "p", "training", "tokens/s")
    failed = [(failure.system, "–", "failed", *["–"] * (len(header) - 3)) for failure in comparison.failed]
    return Table(header, (*(_make_system_row(comparison, system) for system in comparison.systems), *failed))


def _make_system_row(comparison: Comparison, system: SystemResult) -> tuple[str, ...]:
    significance = comparison.against_baseline(system.name)
    difference, p_value = "–", "–"
    if significance is not None:
        difference = format_signed(significance.bleu_difference)
        p_value = (
            "–"
            if significance.p_value is None
            else describe_p(significance.p_value).removeprefix("p ").removeprefix("= ")
        )
    elif system.name == comparison.baseline:
        difference = "baseline"
    return (
        system.name,
        f"{system.parameters:,}",
        f"{system.bleu:.1f}" + ("" if system.bleu_std is None else f" ± {system.bleu_std:.1f}"),
        f"{system.chrf:.1f}",
        difference,
        p_value,
        format_duration(system.train_seconds),
        f"{system.target_tokens_per_second:,.0f}",
    )


def make_length_table(comparison: Comparison) -> Table:
    """BLEU of each system in each bucket of source lengths, and how many sentences the bucket holds."""
    header = (f"source {comparison.test.unit}", "sentences", *(system.name for system in comparison.systems))
    if not comparison.systems:
        return Table(header, ())
    rows = []
    for index, bucket in enumerate(comparison.systems[0].by_length):
        figures = (system.by_length[index].bleu for system in comparison.systems)
        count = f"{bucket.sentences:,}" + (" (few)" if 0 < bucket.sentences < FEW else "")
        rows.append((bucket.label, count, *("–" if bleu is None else f"{bleu:.1f}" for bleu in figures)))
    return Table(header, tuple(rows))


def describe_for_terminal(comparison: Comparison, report: Path) -> str:
    """What compare and demo print: the headline, both tables, and the path of the report."""
    tables = (text_table(make_systems_table(comparison)), text_table(make_length_table(comparison)))
    return "\n\n".join((write_headline(comparison), *tables, f"Report: {report}"))
