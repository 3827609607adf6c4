"""Moses' tokenizer under sacrebleu's BLEU, for figures that were published on tokenized text."""

from importlib.metadata import version

from sacrebleu.metrics.bleu import BLEU

from seq2attn.data.languages import primary
from seq2attn.errors import UsageError


class MosesTokenizer:
    """Moses' tokenizer (Koehn et al. 2007) as sacremoses ports it, without its escapes for XML; called as sacrebleu's are.

    Abbreviations are those of `language`, or English ones where Moses has none of it. Raises UsageError without sacremoses.
    """

    def __init__(self, language: str) -> None:
        try:
            import sacremoses
        except ImportError as error:
            raise UsageError(
                "BLEU on Moses tokens needs sacremoses, which is not installed",
                "pip install 'seq2attn[moses]', or use one of sacrebleu's own tokenizers, such as 13a",
            ) from error
        self._language = primary(language)
        self._tokenizer = sacremoses.MosesTokenizer(self._language)

    def signature(self) -> str:
        """What the signature says of it: language and version decide the tokens."""
        return f"moses-{self._language}-sacremoses-{version('sacremoses')}"

    def __call__(self, line: str) -> str:
        """The tokens of a line, with spaces between them."""
        return str(self._tokenizer.tokenize(line, return_str=True, escape=False))


def make_moses_bleu(language: str, *, lowercase: bool) -> BLEU:
    """sacrebleu's BLEU of Moses tokens."""
    metric = BLEU(lowercase=lowercase, tokenize="none", force=True)
    metric.tokenizer = MosesTokenizer(language)
    metric.tokenizer_signature = metric.tokenizer.signature()
    return metric
