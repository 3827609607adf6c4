"""SentencePiece subwords, trained by the tool itself: one joint model or one for each language."""

import hashlib
import itertools
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import sentencepiece

from seq2attn.data import tokenizer_file
from seq2attn.data.vocabulary import Learner, can_be_learned, run_in_fresh_thread
from seq2attn.errors import DataError
from seq2attn.tokens import BOS, EOS, PAD, UNK

_CONTROL = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029), " ")
_MANY = 1000  # lines that are worth a thread for each processor

Normalization = Literal["none", "nfc", "nfkc"]


class Tokenizer:
    """Text to subword ids and back; 0 to 3 are padding, unknown, begin and end of sentence.

    All text is brought into the Unicode normalization form `normalization` before it becomes ids.
    """

    def __init__(
        self, source_model: bytes, target_model: bytes, *, joint: bool, normalization: Normalization = "none"
    ) -> None:
        """`source_model` and `target_model`: serialized SentencePiece models, the same one if `joint`."""
        self.joint = joint
        self.normalization = normalization
        self._source_model = source_model
        self._target_model = target_model
        self._source = sentencepiece.SentencePieceProcessor(model_proto=source_model)
        self._target = self._source if joint else sentencepiece.SentencePieceProcessor(model_proto=target_model)
        self.source_size: int = self._source.get_piece_size()
        self.target_size: int = self._target.get_piece_size()

    @classmethod
    def train(
        cls,
        source: Iterable[str],
        target: Iterable[str],
        *,
        vocab_size: int | tuple[int, int],
        algorithm: Literal["unigram", "bpe"],
        joint: bool,
        byte_fallback: bool,
        character_coverage: float,
        folder: Path,
        max_length: int | None = None,
        normalization: Normalization = "none",
    ) -> "Tokenizer":
        """Learn the subwords of a corpus and save them in `folder`; the same text gives the same model.

        `vocab_size` counts the ids of each model, the four special ones and the 256 bytes included; two sizes are those of
        source and target, if not `joint`. Pairs that are longer than `max_length` subwords (EOS included) in any vocabulary
        are not learned from, as they are not trained on. `source` and `target` are read more than once.

        Raises DataError if the text supports no vocabulary of that size, naming the smallest and the largest that work.
        """

        def select(side: int) -> Iterator[str]:
            for texts in zip(source, target, strict=True):
                pair = [_normalize(text, normalization) for text in texts]
                if all(can_be_learned(line, algorithm, max_length) for line in pair):
                    yield pair[side]

        learner = Learner(algorithm, byte_fallback, character_coverage)
        if joint:
            assert isinstance(vocab_size, int)
            model = learner.learn(lambda: itertools.chain(select(0), select(1)), "joint", vocab_size)
            tokenizer = cls(model, model, joint=True, normalization=normalization)
        else:
            sizes = (vocab_size, vocab_size) if isinstance(vocab_size, int) else vocab_size
            models = _learn_both(learner, select, sizes)
            tokenizer = cls(models[0], models[1], joint=False, normalization=normalization)
        tokenizer.save(folder)
        return tokenizer

    @classmethod
    def load(cls, folder: Path, normalization: Normalization) -> "Tokenizer":
        """Read what `save` wrote, which is all but the normalization; raises DataError if the models are missing or damaged."""
        joint = (folder / "joint.model").exists()
        paths = [folder / "joint.model"] if joint else [folder / "source.model", folder / "target.model"]
        try:
            models = [path.read_bytes() for path in paths]
            for model in models:
                tokenizer_file.check(model)
            return cls(models[0], models[-1], joint=joint, normalization=normalization)
        except (OSError, RuntimeError, ValueError) as error:
            hint = "the folder must hold joint.model, or source.model and target.model, whole"
            raise DataError(f"cannot read the SentencePiece model of {folder}: {error}", hint) from error

    def save(self, folder: Path) -> None:
        """Write joint.model, or source.model and target.model, into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files().items():
            (folder / name).write_bytes(content)

    def files(self) -> dict[str, bytes]:
        """What `load` reads, by file name."""
        if self.joint:
            return {"joint.model": self._source_model}
        return {"source.model": self._source_model, "target.model": self._target_model}

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the models: equal fingerprints encode alike."""
        digest = hashlib.sha256(self._source_model)
        digest.update(b"joint" if self.joint else self._target_model)
        return digest.hexdigest()

    def encode_source(self, lines: Sequence[str]) -> list[list[int]]:
        """The ids of each source sentence, EOS last."""
        return _encode(self._source, self._normalize(lines))

    def encode_target(self, lines: Sequence[str]) -> list[list[int]]:
        """The ids of each target sentence, EOS last."""
        return _encode(self._target, self._normalize(lines))

    def encode_source_words(self, words: Sequence[str], space: str = " ") -> tuple[list[int], list[int]]:
        """The ids of a source sentence of these words, EOS last, and for each the number of its word, from 0; −1 for EOS.

        `space` stands between the words: nothing, where they are the characters of a language that has no spaces.
        """
        return _encode_words(self._source, self._normalize(words), space)

    def encode_target_words(self, words: Sequence[str], space: str = " ") -> tuple[list[int], list[int]]:
        """The same of a target sentence."""
        return _encode_words(self._target, self._normalize(words), space)

    def _normalize(self, lines: Sequence[str]) -> Sequence[str]:
        return [_normalize(line, self.normalization) for line in lines]

    def decode_target(self, ids: Iterable[Sequence[int]]) -> list[str]:
        """The text of each id sequence up to its EOS, always on one line.

        Bytes that are not UTF-8 become U+FFFD; control characters (C0, C1: line feeds, tabs, …) and the separators of lines
        and paragraphs (U+2028, U+2029) become spaces.
        """
        return [self._text(list(sentence)) for sentence in ids]

    def _text(self, ids: list[int]) -> str:
        end = ids.index(EOS) if EOS in ids else len(ids)
        text: str = self._target.decode([token for token in ids[:end] if token not in (PAD, BOS)])
        return text.translate(_CONTROL).strip(" ")

    def banned_tokens(self) -> list[int]:
        """The target ids that may not stand in a translation: padding, unknown, begin, and pieces with a control character.

        Control characters of two bytes (C1) and separators of three could still be put together from single bytes:
        `decode_target` makes spaces of them.
        """
        alone: list[str] = self._target.decode([[token] for token in range(self.target_size)], num_threads=1)
        control = [token for token, text in enumerate(alone) if not _CONTROL.keys().isdisjoint(map(ord, text))]
        return [PAD, UNK, BOS, *control]

    def source_pieces(self) -> list[int]:
        """The ids of the pieces learned from source text: all but the special ones and the single bytes."""
        model = self._source
        others = (model.is_control, model.is_unknown, model.is_byte, model.is_unused)
        return [token for token in range(self.source_size) if not any(other(token) for other in others)]

    def sample(
        self, source: Sequence[str], target: Sequence[str], *, seed: int, alpha: float
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Random segmentations of source and target, EOS last: a pure function of the arguments.

        `alpha` smooths the unigram model's distribution (Kudo 2018) or is BPE's merge dropout (Provilkov et al. 2020).
        """
        source, target = self._normalize(source), self._normalize(target)
        return run_in_fresh_thread(
            seed, lambda: (_encode(self._source, source, alpha), _encode(self._target, target, alpha))
        )


def _learn_both(
    learner: Learner, select: Callable[[int], Iterator[str]], sizes: tuple[int, int]
) -> tuple[bytes, bytes]:
    """The models of source and target. Raises DataError, which holds the errors of both."""
    models: list[bytes] = []
    errors: list[DataError] = []
    for side, name in enumerate(("source", "target")):
        try:
            models.append(learner.learn(partial(select, side), name, sizes[side]))
        except DataError as error:
            errors.append(error)
    if errors:
        raise DataError(errors[0].message, errors[0].hint, errors[1:])
    return models[0], models[1]


def _encode(
    model: sentencepiece.SentencePieceProcessor, lines: Sequence[str], alpha: float | None = None
) -> list[list[int]]:
    """The best segmentations, or random ones over all (nbest_size -1) if there is an `alpha`; EOS last."""
    encoded: list[list[int]] = model.encode(
        [_unicode(line) for line in lines],
        out_type=int,
        num_threads=-1 if alpha is None and len(lines) >= _MANY else 1,  # all processors; samples are drawn in turn
        enable_sampling=alpha is not None,
        alpha=alpha or 0.0,
        nbest_size=-1,
    )
    for ids in encoded:
        ids.append(EOS)
    return encoded


def _encode_words(
    model: sentencepiece.SentencePieceProcessor, words: Sequence[str], space: str
) -> tuple[list[int], list[int]]:
    """The best segmentation of the words, joined by `space`, and the word of each piece: that of its first character.

    A piece of spaces alone, and the first bytes of a character that is written as bytes, belong to the word that comes next.
    """
    text = space.join(map(_unicode, words))
    owners = [number for number, word in enumerate(words) for _ in range(len(_unicode(word)) + len(space))]
    pieces = model.encode(text, out_type="immutable_proto").pieces
    ids, numbers = [], []
    for piece in pieces:
        start = piece.begin
        while start < len(text) - 1 and text[start].isspace():
            start += 1
        ids.append(piece.id)
        numbers.append(owners[start])
    return [*ids, EOS], [*numbers, -1]


def _normalize(text: str, form: Normalization) -> str:
    match form:
        case "none":
            return text
        case "nfc":
            return unicodedata.normalize("NFC", text)
        case "nfkc":
            return unicodedata.normalize("NFKC", text)


def _unicode(line: str) -> str:
    """The line with U+FFFD for halves of surrogate pairs, which only a Python string can hold."""
    return line if line.isascii() else line.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
