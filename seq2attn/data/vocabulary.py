"""Learning the pieces of a vocabulary with SentencePiece: the same text gives the same model, and errors say what works."""

import io
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import sentencepiece

from seq2attn.errors import DataError
from seq2attn.tokens import BOS, EOS, PAD, UNK

MOST_SENTENCES = 500_000  # SentencePiece draws so many at random from a larger corpus: each takes 2 KiB of memory
_BYTES = 2**30  # of one sentence, SentencePiece's own maximum: its default, 4192, silently leaves longer ones out
_PIECE = 16  # characters of a piece at most, SentencePiece's default
_WORD = 65_000  # characters of a word without a space: from 65,536 on, SentencePiece's BPE ends the process
_LEAST_COVERAGE = 0.98  # of characters, SentencePiece's own minimum
_NO_SIZE = 5  # pieces: a vocabulary too small for any text
_THREADS = 4  # fixed: the learned pieces depend on it
_SILENT = 2  # minloglevel: errors are raised, not printed

T = TypeVar("T")


def count_least(line: str) -> int:
    """The fewest subwords, end of sentence included, that any vocabulary can make of a line: a quick lower bound."""
    return -(-(len(line) - line.count(" ")) // _PIECE) + 1


def can_be_learned(line: str, algorithm: str, max_length: int | None) -> bool:
    """Whether a line may be within `max_length` subwords, whatever is learned, and has no word that BPE fails on."""
    if max_length is not None and count_least(line) > max_length:
        return False
    return algorithm != "bpe" or len(line) <= _WORD or max(map(len, line.split(" "))) <= _WORD


@dataclass(frozen=True)
class Learner:
    """What a SentencePiece model is learned by, apart from the text and the size."""

    algorithm: str
    byte_fallback: bool
    character_coverage: float

    def learn(self, read: Callable[[], Iterable[str]], what: str, size: int) -> bytes:
        """A serialized model of `size` pieces; `read` gives the text, `what` names it in messages. Raises DataError."""
        try:
            return self._train(read(), size)
        except RuntimeError as error:
            raise self._explain(str(error), read, what, size) from error

    def _train(self, lines: Iterable[str], size: int) -> bytes:
        model = io.BytesIO()

        def train() -> None:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(lines),
                model_writer=model,
                model_type=self.algorithm,
                vocab_size=size,
                byte_fallback=self.byte_fallback,
                character_coverage=self.character_coverage,
                pad_id=PAD,
                unk_id=UNK,
                bos_id=BOS,
                eos_id=EOS,
                normalization_rule_name="identity",
                remove_extra_whitespaces=True,
                max_sentence_length=_BYTES,
                input_sentence_size=MOST_SENTENCES,
                shuffle_input_sentence=True,
                num_threads=_THREADS,
                minloglevel=_SILENT,
            )

        run_in_fresh_thread(1, train)
        return model.getvalue()

    def _explain(self, message: str, read: Callable[[], Iterable[str]], what: str, size: int) -> DataError:
        """SentencePiece's words made readable, with what works: for it the text is tried with other settings."""
        key = "data.vocab_size" if what == "joint" else f"the {what} size of data.vocab_size (it may be two numbers)"
        if largest := _find_largest(message):
            smallest = _find_smallest(self._try(read(), _NO_SIZE))
            return DataError(
                f"data.vocab_size: {size} is more than the {what} training text supports ({largest} at most)",
                f"set {key} to {_show_range(smallest or largest, largest)}, or train on more text",
            )
        if smallest := _find_smallest(message):
            largest = _find_largest(self._try(read(), 2 * smallest))
            others = [
                f", or data.tokenizer.{name} to {value}"
                for name, value, other in self._need_fewer_characters()
                if not other._try(read(), size)
            ]
            return DataError(
                f"data.vocab_size: {size} cannot hold the {'bytes and ' if self.byte_fallback else ''}characters of the "
                f"{what} training text ({smallest} at least)",
                f"set {key} to {_show_range(smallest, largest)}{''.join(others)}",
            )
        if "sentences_.empty()" in message:
            return DataError(f"there is no {what} text to learn subwords from", "check data.train and data.max_length")
        return DataError(f"SentencePiece cannot learn from the {what} training text: {message}", "check data.train")

    def _need_fewer_characters(self) -> Iterator[tuple[str, str, "Learner"]]:
        """Settings with which the least size is smaller: a key, its value, and who learns so."""
        if self.byte_fallback:
            yield "byte_fallback", "false", replace(self, byte_fallback=False)
        if self.character_coverage > _LEAST_COVERAGE:
            yield "character_coverage", f"{_LEAST_COVERAGE}", replace(self, character_coverage=_LEAST_COVERAGE)

    def _try(self, lines: Iterable[str], size: int) -> str:
        """What SentencePiece says against this size; empty if nothing."""
        try:
            self._train(lines, size)
        except RuntimeError as error:
            return str(error)
        return ""


def _find_largest(message: str) -> int | None:
    """The largest size that SentencePiece's error names."""
    largest = re.search(r"too high.*<= (\d+)", message)
    return None if largest is None else int(largest[1])


def _find_smallest(message: str) -> int | None:
    """The smallest size that SentencePiece's error names."""
    smallest = re.search(r"smaller than required_chars\. \d+ vs (\d+)", message)
    return None if smallest is None else int(smallest[1])


def _show_range(smallest: int, largest: int | None) -> str:
    if largest is None:
        return f"{smallest} or more"
    return str(largest) if smallest == largest else f"a number from {smallest} to {largest}"


def run_in_fresh_thread(seed: int, work: Callable[[], T]) -> T:
    """Run `work` where SentencePiece's random generator obeys `seed`: each thread seeds its own, once, at first use."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            sentencepiece.set_random_generator_seed(seed)
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
