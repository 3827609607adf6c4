"""A model on a test set: BLEU, chrF2 and TER with signatures, BLEU by source length, and BLEU under source noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seq2attn.evaluation.bleu import Scores, bleu_metric, score
from seq2attn.evaluation.by_length import Bucket, bleu_by_length
from seq2attn.evaluation.noise import NoiseCurve, Replace, noise_curve
from seq2attn.inference.model import ANY_LENGTH, Model
from seq2attn.search import choose_search


@dataclass(frozen=True)
class Evaluation:
    """Translations and what they are worth."""

    hypotheses: list[str]
    scores: Scores
    by_length: list[Bucket]
    noise: NoiseCurve | None = None

    def to_json(self) -> dict[str, Any]:
        """The keys of `seq2attn evaluate --json`."""
        scores = self.scores
        figures: dict[str, Any] = {
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
        if self.noise is not None:
            figures["noise"] = self.noise.to_json()
        return figures

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
        if self.noise is not None:
            lines += ["", self.noise.to_text()]
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
    noise: Replace | None = None,
) -> Evaluation:
    """Translate with that beam and score against the raw references, then the same of sources with noise, if any."""
    settings: dict[str, Any] = {
        "target_language": model.config.data.target,
        "lowercase": lowercase,
        "tokenize": tokenize,
    }
    hypotheses = model.translate(sources, beam=beam, length_penalty=length_penalty, max_length=ANY_LENGTH)
    scores = score(hypotheses, references, **settings)
    by_length = bleu_by_length(sources, hypotheses, references, **settings)
    if noise is None:
        return Evaluation(hypotheses, scores, by_length)
    translator = model.translator(choose_search(beam, length_penalty), max_length=ANY_LENGTH)
    metric = bleu_metric(**settings)

    def bleu(noised: list[list[int]]) -> float:
        return metric.corpus_score([best[0].text for best in translator.translate_encoded(noised)], [references]).score

    encoded, pieces = list(translator.encode(sources)), model.tokenizer.source_pieces()
    curve = noise_curve(noise, encoded, pieces, bleu, clean_bleu=scores.bleu)
    return Evaluation(hypotheses, scores, by_length, curve)
