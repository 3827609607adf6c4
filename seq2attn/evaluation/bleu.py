"""BLEU, chrF2 and TER through sacrebleu, each with the signature that makes it comparable."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from seq2attn.data.languages import CHINESE, JAPANESE, UNSPACED, primary
from seq2attn.errors import DataError, UsageError


@dataclass(frozen=True)
class Scores:
    """Corpus scores of a set of translations, in percent: BLEU and chrF2 (higher is better), TER (lower is better)."""

    bleu: float
    chrf: float
    ter: float | None
    signature: str
    chrf_signature: str
    ter_signature: str | None


def bleu_tokenizer(target_language: str, tokenize: str = "auto") -> str:
    """The name of sacrebleu's tokenizer: `tokenize` itself, or for "auto" the one that suits the target language.

    Raises UsageError for a name that sacrebleu does not know.
    """
    if tokenize == "auto":
        language = primary(target_language)
        if language in CHINESE:
            return "zh"
        if language in JAPANESE:
            return "ja-mecab"
        return "char" if language in UNSPACED else "13a"
    known = sorted(BLEU.TOKENIZERS)
    if tokenize not in known:
        near = difflib.get_close_matches(tokenize, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "one of: auto, " + ", ".join(known)
        raise UsageError(f"sacrebleu has no tokenizer {tokenize!r}", hint)
    return tokenize


def bleu_metric(*, target_language: str, lowercase: bool = False, tokenize: str = "auto") -> BLEU:
    """The BLEU that all commands share, as `sacrebleu [-lc] -tok NAME` computes it.

    Raises UsageError if the tokenizer is unknown or lacks what it needs (MeCab for Japanese).
    """
    name = bleu_tokenizer(target_language, tokenize)
    try:
        # force: sacrebleu's advice on text that looks tokenized would be repeated for every bucket and validation
        return BLEU(lowercase=lowercase, tokenize=name, force=True)
    except (RuntimeError, ImportError) as error:
        if name == "ja-mecab":
            raise UsageError(
                "BLEU on Japanese splits words with MeCab, which is not installed",
                "pip install 'seq2attn[ja]', or score characters with --tokenize char (evaluation.tokenize: char)",
            ) from error
        reason = " ".join(str(error).split())
        raise UsageError(f"sacrebleu's tokenizer {name!r} cannot be used: {reason}", "see --tokenize") from error
    except OSError as error:  # the sentencepiece tokenizers are downloaded on first use
        raise UsageError(f"sacrebleu's tokenizer {name!r} could not be fetched: {error}", "see --tokenize") from error


def check_aligned(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    """Raises DataError unless there is exactly one reference for each translation, and at least one."""
    if len(hypotheses) != len(references):
        raise DataError(
            f"{len(hypotheses)} translations but {len(references)} references",
            "both need one line for each source sentence",
        )
    if not references:
        raise DataError("there is nothing to score: the test set is empty", "give a test set of at least one pair")


def score(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    target_language: str,
    lowercase: bool = False,
    tokenize: str = "auto",
    ter: bool = True,
) -> Scores:
    """The figures of `sacrebleu REFERENCES -i HYPOTHESES -m bleu chrf ter -tok NAME [-lc]`.

    As with that command, `lowercase` and `tokenize` concern BLEU; chrF2 is cased and TER is not. TER takes seconds for
    a thousand sentences that are far off; `ter=False` leaves it out. Raises DataError if the lines do not match.
    """
    check_aligned(hypotheses, references)
    bleu = bleu_metric(target_language=target_language, lowercase=lowercase, tokenize=tokenize)
    chrf = CHRF()
    bleu_score = bleu.corpus_score(hypotheses, [references]).score
    chrf_score = chrf.corpus_score(hypotheses, [references]).score
    edits = TER() if ter else None
    return Scores(
        bleu=bleu_score,
        chrf=chrf_score,
        ter=None if edits is None else edits.corpus_score(hypotheses, [references]).score,
        signature=str(bleu.get_signature()),
        chrf_signature=str(chrf.get_signature()),
        ter_signature=None if edits is None else str(edits.get_signature()),
    )
