"""What references look like that BLEU cannot be trusted with: tokenized ones, and ones that its tokenizer does not split."""

import re
from collections.abc import Sequence

from seq2attn.data.languages import primary
from seq2attn.evaluation.bleu import Bleu

# what tokenizers leave: a space before the last period, escapes, marks of subwords and of hyphens that were split
_STOP = r" [.。।॥۔]"
_MARK = r" [?!؟？！]"  # a space that French writes
_CLOSING = r"[\"'”’»)\s]*$"
_LEFTOVERS = r"&(?:apos|quot|amp|lt|gt|#91|#93|#124);|@@(?: |$)|@-@|▁"
_FRENCH = frozenset({"fr", "fra", "fre"})

_KANA = re.compile("[\u3040-\u30ff]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# letters of scripts that put no spaces between words: Thai, Lao, Tibetan, Burmese, Khmer, and the two above
_UNSPACED = re.compile(f"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff{_KANA.pattern[1:-1]}{_HAN.pattern[1:-1]}]")
_WORD = 6  # letters: words of these scripts are shorter on average


def describe_references(references: Sequence[str], bleu: Bleu) -> list[str]:
    """All that is to be said of references that are scored by `bleu`."""
    remarks = (describe_tokenized(references, bleu.target_language), describe_unsplit(references, bleu))
    return [remark for remark in remarks if remark is not None]


def describe_tokenized(references: Sequence[str], language: str) -> str | None:
    """What to say of references in `language` that look tokenized; None if they do not.

    sacreBLEU says so of 100 lines that end in a period after a space; here a quarter of at least ten lines is enough.
    """
    ends = _STOP if primary(language) in _FRENCH else f"{_STOP}|{_MARK}"
    tokenized = re.compile(f"(?:{ends}){_CLOSING}|{_LEFTOVERS}")
    count = sum(tokenized.search(line) is not None for line in references)
    if count < 100 and not (len(references) >= 10 and 4 * count >= len(references)):
        return None
    return (
        f"{count:,} of {len(references):,} references look tokenized (a space before the last period, &apos; or @@): "
        "BLEU can be compared with other work only on raw, detokenized text"
    )


def describe_unsplit(references: Sequence[str], bleu: Bleu) -> str | None:
    """What to say of references without spaces that BLEU's tokenizer leaves in one piece; None if it splits them."""
    written = [line for line in references if 2 * len(_UNSPACED.findall(line)) > len("".join(line.split()))]
    if 2 * len(written) <= len(references):
        return None
    split = bleu.metric().tokenizer
    count = sum(_is_whole(line, split(line).split()) for line in written)
    if 2 * count <= len(references):
        return None
    kana, han = (sum(letter.search(line) is not None for line in written) for letter in (_KANA, _HAN))
    better = "ja-mecab" if 4 * kana > len(written) else "zh" if 2 * han > len(written) else "char"
    have = "has" if count == 1 else "have"
    return (
        f"{count:,} of {len(references):,} references {have} no spaces between words, and BLEU's tokenizer {bleu.tokenizer} "
        f"does not split them, so BLEU is far too low; evaluation.tokenize: {better} (--tokenize {better}) does"
    )


def _is_whole(line: str, tokens: Sequence[str]) -> bool:
    letters = len(_UNSPACED.findall(line))
    return letters > 1 and sum(_UNSPACED.search(token) is not None for token in tokens) <= max(1, letters // _WORD)
