"""A model on a test set: BLEU, chrF2 and TER with signatures, and BLEU by source length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seq2attn.evaluation.bleu import Scores, score
from seq2attn.evaluation.by_length import Bucket, bleu_by_length
from seq2attn.experiment.model import Model


@dataclass(frozen=True)
class Evaluation:
    """Translations and what they are worth."""

    hypotheses: list[str]
    scores: Scores
    by_length: list[Bucket]

    def to_json(self) -> dict[str, Any]:
        """The keys of `seq2attn evaluate --json`."""
        scores = self.scores
        return {
            "bleu": scores.bleu,
            "chrf": scores.chrf,
            "ter": scores.ter,
            "signature": scores.signature,
            "chrf_signature": scores.chrf_signature,
            "ter_signature": scores.ter_signature,
            "by_length": [
                {"low": b.low, "high": b.high, "sentences": b.sentences, "bleu": b.bleu} for b in self.by_length
            ],
        }

    def to_text(self) -> str:
        """For a terminal."""
        scores = self.scores
        lines = [
            f"BLEU  {scores.bleu:6.2f}  {scores.signature}",
            f"chrF2 {scores.chrf:6.2f}  {scores.chrf_signature}",
            f"TER   {scores.ter:6.2f}  {scores.ter_signature}",
            "",
            "source words  sentences   BLEU",
        ]
        for bucket in self.by_length:
            bleu = "     –" if bucket.bleu is None else f"{bucket.bleu:6.2f}"
            lines.append(f"{bucket.label:>12}  {bucket.sentences:9,}  {bleu}")
        return "\n".join(lines)


def evaluate(
    model: Model,
    sources: Sequence[str],
    references: Sequence[str],
    *,
    beam: int,
    length_penalty: float,
    lowercase: bool,
    tokenize: str,
) -> Evaluation:
    """Translate with that beam and score against the raw references."""
    settings: dict[str, Any] = {
        "target_language": model.config.data.target,
        "lowercase": lowercase,
        "tokenize": tokenize,
    }
    hypotheses = model.translate(sources, beam=beam, length_penalty=length_penalty)
    scores = score(hypotheses, references, **settings)
    return Evaluation(hypotheses, scores, bleu_by_length(sources, hypotheses, references, **settings))
