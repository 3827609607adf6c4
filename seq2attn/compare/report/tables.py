"""The two tables of a comparison as rows of text, and how a terminal and Markdown show them."""

from pathlib import Path

from seq2attn.compare.report.results import FEW, Comparison, SystemResult
from seq2attn.compare.report.verdict import headline, p_text
from seq2attn.tables import Table, duration, signed, text_table


def systems_table(comparison: Comparison) -> Table:
    """Parameters, scores, the difference to the baseline and the cost of each system."""
    header = ("system", "parameters", "BLEU", "chrF2", "vs baseline", "p", "training", "tokens/s")
    return Table(header, tuple(_system_row(comparison, system) for system in comparison.systems))


def _system_row(comparison: Comparison, system: SystemResult) -> tuple[str, ...]:
    test = comparison.against_baseline(system.name)
    difference, p_value = "–", "–"
    if test is not None:
        difference = signed(test.bleu_difference)
        p_value = "–" if test.p_value is None else p_text(test.p_value).removeprefix("p ").removeprefix("= ")
    elif system.name == comparison.baseline:
        difference = "baseline"
    return (
        system.name,
        f"{system.parameters:,}",
        f"{system.bleu:.1f}" + ("" if system.bleu_std is None else f" ± {system.bleu_std:.1f}"),
        f"{system.chrf:.1f}",
        difference,
        p_value,
        duration(system.train_seconds),
        f"{system.target_tokens_per_second:,.0f}",
    )


def length_table(comparison: Comparison) -> Table:
    """BLEU of each system in each bucket of source lengths, and how many sentences the bucket holds."""
    header = ("source words", "sentences", *(system.name for system in comparison.systems))
    if not comparison.systems:
        return Table(header, ())
    rows = []
    for place, bucket in enumerate(comparison.systems[0].by_length):
        figures = (system.by_length[place].bleu for system in comparison.systems)
        count = f"{bucket.sentences:,}" + (" (few)" if 0 < bucket.sentences < FEW else "")
        rows.append((bucket.label, count, *("–" if bleu is None else f"{bleu:.1f}" for bleu in figures)))
    return Table(header, tuple(rows))


def terminal_text(comparison: Comparison, report: Path) -> str:
    """What compare and demo print: the verdict, both tables, and where the report lies."""
    tables = (text_table(systems_table(comparison)), text_table(length_table(comparison)))
    return "\n\n".join((headline(comparison), *tables, f"Report: {report}"))
