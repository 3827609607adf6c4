"""A model on a test set: BLEU, chrF2 and TER with signatures, BLEU by source length, and BLEU under source noise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from seq2attn.build.evaluation import build_bleu
from seq2attn.evaluation.bleu import Bleu, Scores, explain_no_ter
from seq2attn.evaluation.by_length import Bucket, Unit, choose_unit, score_by_length
from seq2attn.evaluation.noise import NoiseResult, Replace, measure_noise
from seq2attn.inference.align import Alignment
from seq2attn.inference.model import Model


@dataclass(frozen=True)
class Evaluation:
    """The translations of a test set in its order, and their scores; `remarks` say what a reader must know of them."""

    hypotheses: list[str]
    scores: Scores
    by_length: list[Bucket]
    unit: Unit = "words"
    noise: NoiseResult | None = None
    remarks: Sequence[str] = ()
    precision: str = "fp32"
    alignment: Alignment | None = None

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
            "precision": self.precision,
            "by_length": [bucket.to_json() for bucket in self.by_length],
        }
        if self.unit != "words":
            figures["length_unit"] = self.unit
        if self.noise is not None:
            figures["noise"] = self.noise.to_json()
        if self.alignment is not None:
            figures["alignment"] = self.alignment.to_json()
        return figures

    def to_text(self) -> str:
        """What `seq2attn evaluate` prints: the scores with their signatures, a table by length, a table of the noise."""
        scores = self.scores
        lines = [
            f"BLEU  {scores.bleu:6.2f}  {scores.signature}",
            f"chrF2 {scores.chrf:6.2f}  {scores.chrf_signature}",
            "TER        –" if scores.ter is None else f"TER   {scores.ter:6.2f}  {scores.ter_signature}",
            f"translated in {self.precision}",
            "",
            f"{f'source {self.unit}':>12}  sentences   BLEU",
        ]
        for bucket in self.by_length:
            bleu = "     –" if bucket.bleu is None else f"{bucket.bleu:6.2f}"
            lines.append(f"{bucket.label:>{len(f'source {self.unit}')}}  {bucket.sentences:9,}  {bleu}")
        if self.noise is not None:
            lines += ["", self.noise.to_text()]
        if self.alignment is not None:
            lines += ["", self.alignment.to_text()]
        return "\n".join(lines)


def evaluate(
    model: Model,
    sources: Sequence[str],
    references: Sequence[str],
    *,
    beam: int | None = None,
    length_penalty: float | None = None,
    max_output: int | None = None,
    bleu: Bleu | None = None,
    noise: Replace | None = None,
    progress: Callable[[float], None] | None = None,
) -> Evaluation:
    """Translate `sources`, raw lines of text, and score the translations against `references`, one raw line for each.

    `beam`, `length_penalty`, `max_output` and `bleu` are those of the model's config if they are None. Lines are split
    only above `config.longest_tested`, or where the model cannot read them, and TER is None where a line is too long for it:
    time would grow with the square of their length. With `noise`, BLEU is also measured on sources some of whose subwords are
    replaced. `progress` is called after each batch with how many lines it held, noisy ones too. Raises DataError if the lines
    do not match, UsageError if BLEU's tokenizer is unknown or not installed.
    """
    bleu = build_bleu(model.config) if bleu is None else bleu
    metric = bleu.metric()  # before minutes of translating
    longest = model.config.longest_tested
    hypotheses, remarks = model.translate_with_remarks(
        sources, beam=beam, length_penalty=length_penalty, max_length=longest, max_output=max_output, progress=progress
    )
    no_ter = explain_no_ter(hypotheses, references)
    remarks += [] if no_ter is None else [no_ter]
    scores = bleu.score(hypotheses, references, ter=no_ter is None)
    unit = choose_unit(model.config.data.source)
    by_length = score_by_length(sources, hypotheses, references, bleu, unit)
    if noise is None:
        return Evaluation(hypotheses, scores, by_length, unit, None, remarks, model.precision)
    search = model.choose_search(beam, length_penalty)
    translator = model.make_translator(search, max_length=longest, max_output=max_output, progress=progress)
    encoded = list(translator.encode(sources))

    def score(noised: list[list[int]]) -> float:
        parts = iter(noised)
        lines = ([next(parts) for _ in line] for line in encoded)
        return metric.corpus_score([best[0].text for best in translator.translate_encoded(lines)], [references]).score

    pieces = model.tokenizer.source_pieces()
    result = measure_noise(noise, [part for line in encoded for part in line], pieces, score, clean_bleu=scores.bleu)
    return Evaluation(hypotheses, scores, by_length, unit, result, remarks, model.precision)
