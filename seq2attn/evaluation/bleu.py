"""BLEU, chrF2 and TER through sacrebleu, each with the signature that makes it comparable."""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from seq2attn.data.languages import CHINESE, JAPANESE, UNSPACED, primary
from seq2attn.errors import DataError, UsageError
from seq2attn.evaluation.moses import make_moses_bleu

TER_WORDS = 500 * 500  # of a translation times those of its reference: about a minute, and time grows with them


@dataclass(frozen=True)
class Scores:
    """Corpus scores of a set of translations, in percent: BLEU and chrF2 (higher is better), TER (lower is better)."""

    bleu: float
    chrf: float
    ter: float | None
    signature: str
    chrf_signature: str
    ter_signature: str | None


@dataclass(frozen=True)
class Bleu:
    """BLEU's settings: `sacrebleu -tok TOKENIZE`, with `-lc` if `lowercase`.

    `tokenize` is the name of one of sacrebleu's tokenizers, "moses", or "auto" for the one that suits the target language.
    """

    target_language: str
    lowercase: bool = False
    tokenize: str = "auto"

    @property
    def tokenizer(self) -> str:
        """The name of sacrebleu's tokenizer, "auto" resolved, or "moses". Raises UsageError for another name."""
        if self.tokenize == "auto":
            return _choose_tokenizer(self.target_language)
        known = sorted([*BLEU.TOKENIZERS, "moses"])
        if self.tokenize not in known:
            near = difflib.get_close_matches(self.tokenize, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "one of: auto, " + ", ".join(known)
            raise UsageError(f"BLEU has no tokenizer {self.tokenize!r}", hint)
        return self.tokenize

    def metric(self) -> BLEU:
        """sacrebleu's BLEU with these settings.

        Raises UsageError if the tokenizer is unknown or lacks what it needs (MeCab for Japanese, sacremoses for "moses").
        """
        name = self.tokenizer
        if name == "moses":
            return make_moses_bleu(self.target_language, lowercase=self.lowercase)
        try:
            # force: sacrebleu's advice on text that looks tokenized would be repeated for every bucket and validation
            return BLEU(lowercase=self.lowercase, tokenize=name, force=True)
        except (RuntimeError, ImportError) as error:
            if name == "ja-mecab":
                raise UsageError(
                    "BLEU on Japanese splits words with MeCab, which is not installed",
                    "pip install 'seq2attn[ja]', or score characters with --tokenize char (evaluation.tokenize: char)",
                ) from error
            reason = " ".join(str(error).split())
            raise UsageError(f"sacrebleu's tokenizer {name!r} cannot be used: {reason}", "see --tokenize") from error
        except OSError as error:  # the sentencepiece tokenizers are downloaded on first use
            raise UsageError(
                f"sacrebleu's tokenizer {name!r} could not be fetched: {error}", "see --tokenize"
            ) from error

    def score(self, hypotheses: Sequence[str], references: Sequence[str], *, ter: bool = True) -> Scores:
        """The scores of `sacrebleu REFERENCES -i HYPOTHESES -m bleu chrf ter -tok NAME [-lc]`.

        As with that command, `lowercase` and `tokenize` concern BLEU alone; chrF2 is cased and TER is not. TER takes
        seconds for a thousand sentences that are far off; `ter=False` leaves it out. Raises DataError unless there is one
        reference for each hypothesis.
        """
        check_aligned(hypotheses, references)
        bleu, chrf, edits = self.metric(), CHRF(), TER() if ter else None
        return Scores(
            bleu=bleu.corpus_score(hypotheses, [references]).score,
            chrf=chrf.corpus_score(hypotheses, [references]).score,
            ter=None if edits is None else edits.corpus_score(hypotheses, [references]).score,
            signature=str(bleu.get_signature()),
            chrf_signature=str(chrf.get_signature()),
            ter_signature=None if edits is None else str(edits.get_signature()),
        )


def explain_no_ter(hypotheses: Sequence[str], references: Sequence[str]) -> str | None:
    """Why TER is better left out: the first line that is too long for it; None if there is none."""
    for number, pair in enumerate(zip(hypotheses, references, strict=False), start=1):
        words = [len(text.split()) for text in pair]
        if math.prod(words) > TER_WORDS:
            return (
                f"TER is left out, whose time grows with the square of a line's length: line {number} has {words[0]:,} words "
                f"in its translation and {words[1]:,} in its reference"
            )
    return None


def _choose_tokenizer(target_language: str) -> str:
    language = primary(target_language)
    if language in CHINESE:
        return "zh"
    if language in JAPANESE:
        return "ja-mecab"
    return "char" if language in UNSPACED else "13a"


def check_aligned(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    """Raises DataError unless there is exactly one reference for each hypothesis, and at least one."""
    if len(hypotheses) != len(references):
        raise DataError(
            f"{len(hypotheses)} translations but {len(references)} references",
            "both need one line for each source sentence",
        )
    if not references:
        raise DataError("there is nothing to score: the test set is empty", "give a test set of at least one pair")
