"""The data of a run: corpora, subwords and encodings, read from the cache where it has them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np

from seq2attn.build.data import TRAINING_ROLES, TrainingRole, build_source, name_key
from seq2attn.build.evaluation import build_bleu
from seq2attn.config.config import Config
from seq2attn.config.data import HuggingFaceConfig, TextConfig
from seq2attn.data.batches import Batch, plan
from seq2attn.data.cache import build_once, cache_folder
from seq2attn.data.corpus import EQUAL, Corpus, describe_dropped, load_corpus, read_cached_hashes
from seq2attn.data.encoded import EncodedCorpus, draw_encoding, encode_corpus
from seq2attn.data.headers import describe_header
from seq2attn.data.languages import guess_code
from seq2attn.data.overlap import count_repeated, count_shared
from seq2attn.data.tokenizer import Normalization, Tokenizer
from seq2attn.data.vocabulary import MOST_SENTENCES, count_least
from seq2attn.errors import DataError
from seq2attn.evaluation.references import describe_unsplit

_REFERENCES = 1000  # of the validation set, enough to see how BLEU splits them


class PlannedEpoch(Sequence[Batch]):
    """The batches of one epoch, padded when they are asked for."""

    def __init__(self, encoded: EncodedCorpus, batches: list[np.ndarray]) -> None:
        self._encoded = encoded
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Batch:  # type: ignore[override]
        return self._encoded.batch(self._batches[index])

    def largest(self) -> list[Batch]:
        """The batches that take most memory: that of most subwords, padding included, and that of most pairs of positions."""
        source, target = self._encoded.source_lengths, self._encoded.target_lengths
        shapes = [(len(batch), int(source[batch].max()), int(target[batch].max())) for batch in self._batches]
        subwords = [rows * (s + t) for rows, s, t in shapes]
        positions = [rows * max(s, t) ** 2 for rows, s, t in shapes]
        return [self[index] for index in dict.fromkeys((int(np.argmax(subwords)), int(np.argmax(positions))))]


@dataclass(frozen=True)
class Corpora:
    """Training and validation data of one config.

    `encoded` holds the training pairs that are not too long; `notes` are lines that say what was dropped.
    """

    train: Corpus
    validation: Corpus
    tokenizer: Tokenizer
    encoded: EncodedCorpus
    encoded_validation: EncodedCorpus
    notes: list[str]

    def plan_epoch(self, config: Config, number: int) -> PlannedEpoch:
        """Plan the batches of epoch `number` (from 0): a pure function of config, corpus and number."""
        encoded, alpha = self.encoded, config.data.tokenizer.sampling
        if alpha is not None:
            encoded = draw_encoding(
                encoded,
                self.train,
                self.tokenizer,
                alpha=alpha,
                max_length=config.data.max_length,
                seed=config.seed,
                epoch=number,
            )
        curriculum = config.training.curriculum
        share = 1.0 if curriculum is None else curriculum.share(number)
        return PlannedEpoch(encoded, _plan(encoded, config.training.batch_tokens, config.seed, number, share))

    def locate(self, index: int) -> str:
        """How a message names the pair `index` of `encoded`: file and line."""
        return self.train.locate(int(self.encoded.rows[index]))

    def validation_batches(self, batch_tokens: int) -> PlannedEpoch:
        """All validation pairs in batches, whatever their length."""
        lengths = (self.encoded_validation.source_lengths, self.encoded_validation.target_lengths)
        longest = max(int(side.max()) for side in lengths)
        return PlannedEpoch(self.encoded_validation, _plan(self.encoded_validation, max(batch_tokens, longest), 0, 0))


def hash_sources(config: Config) -> dict[TrainingRole, str]:
    """The fingerprint of each source that a run reads. Reads it whole: ask once. Raises SourceError for one that is not there."""
    fingerprints: dict[TrainingRole, str] = {}
    for role in TRAINING_ROLES:
        with name_key(role):
            fingerprints[role] = build_source(config, role).fingerprint()
    return fingerprints


def load_split(config: Config, role: TrainingRole, fingerprint: str) -> Corpus:
    """The pairs of one source, cleaned if they are for training. `fingerprint` is the source's."""
    return load_corpus(
        build_source(config, role),
        clean=role == "train",
        fingerprint=fingerprint,
        keep_equal=config.data.keep_equal,
    )


def load_training_hashes(config: Config, fingerprint: str) -> np.ndarray | None:
    """The hashes of a run's training pairs (see data/overlap.py); `fingerprint` is that of their source.

    None if they are neither in the cache nor in the place that the config names. Never asks the hub.
    """
    cached = read_cached_hashes(clean=True, fingerprint=fingerprint, keep_equal=config.data.keep_equal)
    if cached is not None or isinstance(config.data.train, HuggingFaceConfig):
        return cached
    try:
        unchanged = build_source(config, "train").fingerprint() == fingerprint
        return load_split(config, "train", fingerprint).hashes if unchanged else None
    except DataError:
        return None


def load_corpora(
    config: Config, fingerprints: Mapping[TrainingRole, str], tokenizer: Tokenizer | None = None
) -> Corpora:
    """Read, clean, tokenize and encode; every step is cached by the fingerprint of what it reads.

    `fingerprints`: of the sources, as `hash_sources` gives them. Without a `tokenizer`, one is learned from the training
    text. Raises DataError if a source cannot be read or a pair is longer than the model can take.
    """
    data = config.data
    train, validation = (load_split(config, role, fingerprints[role]) for role in TRAINING_ROLES)
    tokenizer = tokenizer or _learn_tokenizer(config, train, _choose_normalization(config, train))
    encoded = encode_corpus(train, tokenizer, max_length=data.max_length)
    notes = [
        *_describe_languages(config),
        _describe_header(config, "train", train),
        _describe_header(config, "validation", validation),
    ]
    notes += [
        note and f"{corpus.name}: {note}"
        for corpus, note in (
            (train, _describe_flawed(train)),
            (train, describe_dropped(encoded.dropped, encoded.first)),
            (train, _describe_repeated(train)),
            (train, _describe_forms(train, tokenizer.normalization)),
            (validation, _describe_shared(validation, train)),
            (validation, _describe_unsplit(config, validation)),
        )
    ]
    encoded_validation = _encode_validation(config, validation, tokenizer)
    if "learned" in {getattr(part, "positions", None) for part in (config.model.encoder, config.model.decoder)}:
        lengths = np.maximum(encoded_validation.source_lengths, encoded_validation.target_lengths)
        learned = f"positions are learned up to data.max_length: {data.max_length}"
        needed = int(lengths.max())
        batches = f" and training.batch_tokens to {needed}" if needed > config.training.batch_tokens else ""
        hint = f"choose `positions: sinusoidal`, or set data.max_length to {needed}{batches}"
        _check_lengths(validation, lengths, data.max_length, learned, hint)
    for key, attention in config.model.attentions():
        if attention.score.longest_source is not None:
            longest = attention.score.longest_source
            scored = f"the location score has max_source: {longest}"
            lengths = encoded_validation.source_lengths
            _check_lengths(validation, lengths, longest, scored, f"set {key}.score.max_source to {lengths.max()}")
    return Corpora(train, validation, tokenizer, encoded, encoded_validation, list(filter(None, notes)))


def _encode_validation(config: Config, validation: Corpus, tokenizer: Tokenizer) -> EncodedCorpus:
    """All pairs, whatever their length. Raises DataError for a line so long that validation would not come to an end."""
    longest = config.longest_tested
    limit = f"validation takes {longest:,} at most"
    hint = "split the pair into shorter ones, or delete it, on both sides"
    for index, pair in enumerate(zip(validation.source, validation.target, strict=True)):
        if (least := max(map(count_least, pair))) > longest:
            raise DataError(f"{validation.locate(index)}: at least {least:,} subwords, but {limit}", hint)
    encoded = encode_corpus(validation, tokenizer, max_length=None)
    lengths = np.maximum(encoded.source_lengths, encoded.target_lengths)
    _check_lengths(validation, lengths, longest, limit, f"{hint}, or set training.batch_tokens to {lengths.max()}")
    return encoded


def _describe_languages(config: Config) -> Iterator[str]:
    """A line for each language name that is no code: BLEU's tokenizer, for one, follows the code."""
    sections = (config.data.train, config.data.validation, config.data.test)
    has_files = any(isinstance(section, TextConfig) and section.prefix for section in sections)
    for key, language in (("source", config.data.source), ("target", config.data.target)):
        if code := guess_code(language):
            hint = f"set data.{key}: {code}"
            if has_files:
                hint += f" and call the files .{code}"
            if any(getattr(section, f"{key}_field", None) == language for section in sections):
                hint += f" and {key}_field: {language}"
            what = f"data.{key}: {language} is no language code, {code} is likely meant"
            yield f"{what}; BLEU's tokenizer and the unit of lengths follow the code: {hint}"


def _describe_unsplit(config: Config, validation: Corpus) -> str:
    if guess_code(config.data.target):  # which says it already
        return ""
    return describe_unsplit(list(islice(validation.target, _REFERENCES)), build_bleu(config)) or ""


def _describe_header(config: Config, role: TrainingRole, corpus: Corpus) -> str:
    return describe_header(
        build_source(config, role),
        corpus.locate(0),
        (corpus.source[0], corpus.target[0]),
        "training" if role == "train" else "validation",
        (config.data.source, config.data.target),
    )


def _describe_flawed(train: Corpus) -> str:
    hint = "; data.keep_equal: true keeps those with source = target" if EQUAL in train.dropped else ""
    return describe_dropped(train.dropped, train.first) + hint


def _describe_repeated(train: Corpus) -> str:
    repeated = count_repeated(train.hashes)
    repeat = "repeats" if repeated == 1 else "repeat"
    return f"{repeated:,} of {len(train.source):,} pairs {repeat} an earlier one" if repeated else ""


def _describe_shared(validation: Corpus, train: Corpus) -> str:
    shared = count_shared(validation.hashes, train.hashes)
    hint = "its scores also show what was learned by heart, and choose the checkpoint by it"
    are = "is a training pair" if shared == 1 else "are training pairs"
    return f"{shared:,} of {len(validation.source):,} pairs {are} too: {hint}" if shared else ""


def _check_lengths(corpus: Corpus, lengths: np.ndarray, longest: int, why: str, hint: str) -> None:
    """Raises DataError for the first pair that is longer than the model can take."""
    if lengths.max() > longest:
        pair = int(np.argmax(lengths > longest))
        raise DataError(f"{corpus.locate(pair)}: {lengths[pair]} subwords, but {why}", hint)


def resolve_normalization(config: Config, fingerprints: Mapping[TrainingRole, str]) -> Config:
    """`config` with `data.normalization: auto` resolved: nfc if all training sources are in that form, else none."""
    if config.data.normalization != "auto":
        return config
    train = load_split(config, "train", fingerprints["train"])
    return config.resolve_normalization(_choose_normalization(config, train))


def _choose_normalization(config: Config, train: Corpus) -> Normalization:
    if config.data.normalization != "auto":
        return config.data.normalization
    return "none" if train.not_nfc[0] else "nfc"


def _describe_forms(train: Corpus, normalization: Normalization) -> str:
    sources, targets = train.not_nfc
    if normalization == "none" and sources + targets:
        are = "sentence is" if sources + targets == 1 else "sentences are"
        return (
            f"{sources + targets:,} {are} not in Unicode's normalization form C, so that what looks alike may be other "
            "subwords; data.normalization: nfc makes it the same, here and in what is translated"
        )
    if normalization == "nfc" and targets:
        are = "target is" if targets == 1 else "targets are"
        return (
            f"{targets:,} {are} in another Unicode form than NFC, in which the model learns to write; references keep "
            "theirs, so BLEU counts the difference; data.normalization: none keeps the targets as they are"
        )
    return ""


def _learn_tokenizer(config: Config, train: Corpus, normalization: Normalization) -> Tokenizer:
    section = config.data.tokenizer
    learner = f"sentencepiece {version('sentencepiece')}"
    unsampled = section.model_copy(update={"sampling": None})
    key = f"{learner} {train.fingerprint} {config.data.vocab_size} {config.data.max_length} {unsampled}"
    key += f" {normalization}" if train.is_changed_by(normalization) else ""
    key += f" of {MOST_SENTENCES}" if len(train.source) * (1 + section.joint) > MOST_SENTENCES else ""
    learn = partial(
        Tokenizer.train,
        train.source,
        train.target,
        vocab_size=config.data.vocab_size,
        algorithm=section.type,
        joint=section.joint,
        byte_fallback=section.byte_fallback,
        character_coverage=section.character_coverage,
        max_length=config.data.max_length,
        normalization=normalization,
    )
    folder = cache_folder() / "tokenizers" / hashlib.sha256(key.encode()).hexdigest()

    def write(aside: Path) -> None:
        learn(folder=aside)

    build_once(folder, write)
    return Tokenizer.load(folder, normalization)


def _plan(encoded: EncodedCorpus, batch_tokens: int, seed: int, epoch: int, share: float = 1.0) -> list[np.ndarray]:
    return plan(
        encoded.source_lengths,
        encoded.target_lengths,
        batch_tokens=batch_tokens,
        seed=seed,
        epoch=epoch,
        fingerprint=encoded.fingerprint,
        share=share,
    )
