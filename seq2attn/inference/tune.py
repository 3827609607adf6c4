"""The beam and the length penalty that fit a model best, by BLEU on validation pairs."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seq2attn.build.evaluation import build_bleu
from seq2attn.inference.model import Model
from seq2attn.tables import Table, text_table

BEAMS = (1, 2, 4, 6, 8)
PENALTIES = (0.0, 0.5, 1.0, 1.5, 2.0)


@dataclass(frozen=True)
class Trial:
    """BLEU of all validation translations with one beam and length penalty; the penalty of greedy search is 0."""

    beam: int
    length_penalty: float
    bleu: float


@dataclass(frozen=True)
class Tuning:
    """All trials on `sentences` sentences, in the order they were made."""

    sentences: int
    signature: str
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The trial of highest BLEU; of equal ones that of the narrowest beam, the fastest, then that of the least penalty."""
        return max(self.trials, key=lambda trial: (trial.bleu, -trial.beam, -trial.length_penalty))

    def to_json(self) -> dict[str, Any]:
        """The keys of `seq2attn tune --json`."""
        trials = [asdict(trial) for trial in self.trials]
        return {"sentences": self.sentences, "signature": self.signature, "trials": trials, "best": asdict(self.best)}

    def to_text(self) -> str:
        """A row for each beam, a column for each length penalty, and the best of all."""
        penalties = sorted({trial.length_penalty for trial in self.trials})
        found = {(trial.beam, trial.length_penalty): f"{trial.bleu:.2f}" for trial in self.trials}
        rows = tuple(
            (str(beam), *(found.get((beam, penalty), "") for penalty in penalties))
            for beam in sorted({trial.beam for trial in self.trials})
        )
        table = text_table(Table(("beam", *(f"penalty {penalty:g}" for penalty in penalties)), rows))
        best = self.best
        return f"""\
BLEU on {self.sentences:,} validation sentences, {self.signature}

{table}

best: beam {best.beam}, length penalty {best.length_penalty:g} (BLEU {best.bleu:.2f})"""


def list_settings(beams: Sequence[int], penalties: Sequence[float]) -> list[tuple[int, float]]:
    """Every beam with every penalty; greedy search, which penalties do not change, once."""
    return [
        (beam, penalty)
        for beam in dict.fromkeys(beams)
        for penalty in (dict.fromkeys(penalties) if beam > 1 else (0.0,))
    ]


def tune(
    model: Model,
    pairs: Sequence[tuple[str, str]],
    *,
    beams: Sequence[int] = BEAMS,
    penalties: Sequence[float] = PENALTIES,
    progress: Callable[[float], None] | None = None,
) -> Tuning:
    """Translate the sources of `pairs` with every setting, and score the translations, with the BLEU of the model's config.

    `progress` is called with how many lines were translated. Raises UsageError for a beam or penalty out of range.
    """
    metric = build_bleu(model.config).metric()
    sources, references = [source for source, _ in pairs], [target for _, target in pairs]
    trials = []
    for beam, penalty in list_settings(beams, penalties):
        hypotheses, _ = model.translate_with_remarks(
            sources, beam=beam, length_penalty=penalty, max_length=model.config.longest_tested, progress=progress
        )
        trials.append(Trial(beam, penalty, float(metric.corpus_score(hypotheses, [references]).score)))
    return Tuning(len(pairs), str(metric.get_signature()), tuple(trials))
