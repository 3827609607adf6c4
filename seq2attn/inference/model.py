"""A trained model, ready to translate: the public Python API."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import get_args

import torch

from seq2attn.build.evaluation import build_limit
from seq2attn.build.model import build_network
from seq2attn.config.config import Config
from seq2attn.config.load import load_complete_config
from seq2attn.data.languages import space
from seq2attn.data.tokenizer import Tokenizer
from seq2attn.errors import DataError, UsageError
from seq2attn.inference.attend import Attended, attend
from seq2attn.inference.checkpoints import find_checkpoint
from seq2attn.inference.files import WEIGHTS, ModelFiles, check_finite, read_header
from seq2attn.inference.limits import read_limit
from seq2attn.inference.run_files import CHECKPOINTS, check_no_checkpoint, check_there, is_run
from seq2attn.machine import Precision, choose_device, choose_precision
from seq2attn.models.seq2seq import Seq2Seq
from seq2attn.search import Engine, OutputLimit, Search, Translator, choose_search
from seq2attn.search.arguments import MOST_OUTPUT, MOST_PENALTY, WIDEST_BEAM, check_number, check_whole
from seq2attn.search.engine import Translation
from seq2attn.search.translator import OnLong
from seq2attn.training.checkpoint import Checkpoints, load_weights, read_tensors


class Model:
    """A trained network with its tokenizer and config; `seq2attn.load` makes one. `path` is its folder.

    `limit` is how long a translation may become, as it was learned from the training pairs; `precision` that of the products.
    On Linux the first text of many lines starts a process for each of PyTorch's threads; they end with the model.
    """

    def __init__(
        self,
        network: Seq2Seq,
        tokenizer: Tokenizer,
        config: Config,
        path: Path,
        limit: OutputLimit = OutputLimit(),
        precision: Precision = "fp32",
    ) -> None:
        self.network = network
        self.tokenizer = tokenizer
        self.config = config
        self.path = path
        self.limit = limit
        self.precision = precision
        self._engine = Engine(network, tokenizer, precision)

    def translate(
        self,
        lines: Iterable[str],
        *,
        beam: int | None = None,
        length_penalty: float | None = None,
        batch_tokens: int | None = None,
        on_long: OnLong = "split",
        max_length: int | None = None,
        max_output: int | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> list[str]:
        """Translate raw lines of text, one sentence each: one translation for each line, in order.

        A blank line gives an empty translation. A line that is too long does what `on_long` says.

        Arguments:
            lines: sentences as they are written; the model's own tokenizer splits them.
            beam: hypotheses kept at a time, 1 for greedy search; None: `evaluation.beam` of the model's config.
            length_penalty: exponent α ≥ 0 of the length that scores are divided by, see `Beam`; greater values favour
                longer translations; None: `evaluation.length_penalty` of the model's config.
            batch_tokens: source subwords of a batch, padding included; None: 1,000 on a CPU, whose threads take a batch each
                (600 in beam search, up to 2,000 in greedy search of many lines), else 8,000.
            on_long: for a line of more than `max_length` subwords, "split" translates its sentences one by one and joins
                the translations, "truncate" translates its beginning; both warn once, when all lines are translated.
                "error" raises DataError.
            max_length: in subwords, end of sentence included; None: `data.max_length` of the model's config, the longest
                in training. It is never more than the model can read. The parts of a longer line are never longer than
                `data.max_length` either.
            max_output: the most subwords of a translation, end of sentence included; None: `evaluation.max_output` of the
                model's config, or, where that is not set, a limit that grows with the line, learned from the training pairs.
                Translations that are cut there are counted in one warning.
            progress: called after each batch with how many lines it held; a part of a line counts as its share of it.

        Raises UsageError for an argument outside its range, DataError for a line that is not a string.
        """
        translations, remarks = self.translate_with_remarks(
            lines,
            beam=beam,
            length_penalty=length_penalty,
            batch_tokens=batch_tokens,
            on_long=on_long,
            max_length=max_length,
            max_output=max_output,
            progress=progress,
        )
        for remark in remarks:
            warnings.warn(remark, stacklevel=2)
        return translations

    def translate_with_remarks(
        self,
        lines: Iterable[str],
        *,
        beam: int | None = None,
        length_penalty: float | None = None,
        batch_tokens: int | None = None,
        on_long: OnLong = "split",
        max_length: int | None = None,
        max_output: int | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> tuple[list[str], list[str]]:
        """Translate as `translate` does, and return what it would warn of instead of warning."""
        translator = self.make_translator(
            self.choose_search(beam, length_penalty),
            batch_tokens=batch_tokens,
            on_long=on_long,
            max_length=max_length,
            max_output=max_output,
            progress=progress,
        )
        translations = [best[0].text for best in translator.translate(_check_lines(lines))]
        return translations, list_remarks(translator, on_long)

    def search(
        self, lines: Iterable[str], search: Search, *, batch_tokens: int | None = None
    ) -> Iterator[list[Translation]]:
        """Search for translations of raw lines of text: for each line its hypotheses, best first, as they become ready.

        `search` is a `Greedy`, `Beam` or `Sampling` of `seq2attn.search`; greedy search and sampling find one hypothesis
        for each line, beam search at most as many as the beam is wide: of hypotheses with the same text only the best is
        kept. All have their `text` and their `score`, the log probability (with beam search divided by the length penalty).
        A blank line has one hypothesis: the empty text, with score 0. Long lines are split into sentences; the k-th best of
        such a line joins the k-th best of its sentences, and its score is their sum.

        Raises UsageError for an argument outside its range, DataError for a line that is not a string.
        """
        translator = self.make_translator(search, batch_tokens=batch_tokens)
        return map(drop_repeated, translator.translate(_check_lines(lines)))

    def attend(self, line: str, translation: str | None = None, *, beam: int | None = None) -> Attended:
        """What the model looks at while it writes its translation of a line, found with `beam`, or while it reads another one.

        The result has the words of both, and a map of weights for each head or hop; a notebook shows it as a picture. Raises
        DataError for a line without words, and for one that is longer than the model can read.
        """
        return attend(self, line, translation, beam=beam)

    def choose_search(self, beam: int | None = None, length_penalty: float | None = None) -> Search:
        """Greedy search for a beam of 1, else beam search; None stands for the value of the model's config.

        Raises UsageError for a beam that is no whole number from 1 to 1000, and a length penalty that is none from 0 to 100.
        """
        evaluation = self.config.evaluation
        beam = evaluation.beam if beam is None else beam
        length_penalty = evaluation.length_penalty if length_penalty is None else length_penalty
        check_whole("beam", beam, 1, WIDEST_BEAM)
        check_number("length_penalty", length_penalty, 0.0, MOST_PENALTY)
        return choose_search(beam, length_penalty)

    def make_translator(
        self,
        search: Search,
        *,
        batch_tokens: int | None = None,
        on_long: OnLong = "split",
        max_length: int | None = None,
        max_output: int | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Translator:
        """A translator of text streams with this model; arguments and errors as in `translate`."""
        if isinstance(search, type) or not isinstance(search, Search):
            raise UsageError(f"search is {search!r}", "give a Greedy(), a Beam(…) or a Sampling(…) of seq2attn.search")
        if batch_tokens is not None:
            check_whole("batch_tokens", batch_tokens, 1)
        if on_long not in get_args(OnLong):
            raise UsageError(f"on_long is {on_long!r}", f"give one of: {', '.join(get_args(OnLong))}")
        if max_length is not None:
            check_whole("max_length", max_length, 2)
        if max_output is not None:
            check_whole("max_output", max_output, 1, MOST_OUTPUT)
        wanted = self.config.data.max_length if max_length is None else max_length
        longest = min(wanted, self.config.longest_source or wanted)
        return Translator(
            self._engine,
            search,
            batch_tokens=batch_tokens,
            longest=longest,
            longest_part=min(longest, self.config.data.max_length),
            on_long=on_long,
            limit=build_limit(self.config, self.limit) if max_output is None else OutputLimit.fixed(max_output),
            space=space(self.config.data.target),
            progress=progress,
        )


def _check_lines(lines: Iterable[str]) -> Iterator[str]:
    """The lines as they are. Raises UsageError for what has no lines in order, DataError on reaching what is not a string."""
    if isinstance(lines, str | bytes):
        raise UsageError("a single string where lines are expected", 'put it into a list: translate(["…"])')
    if isinstance(lines, Mapping | set | frozenset) or not hasattr(type(lines), "__iter__"):
        kind = type(lines).__name__
        raise UsageError(f"lines of type {kind}, which has no lines in order", 'give a list: translate(["…", "…"])')
    return _check_types(lines)


def _check_types(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if not isinstance(line, str):
            raise DataError(f"line {number} is not a string but of type {type(line).__name__}", "give strings only")
        yield line


def drop_repeated(hypotheses: list[Translation]) -> list[Translation]:
    """The first hypothesis with each text: other subwords can spell the same."""
    texts: dict[str, Translation] = {}
    for hypothesis in hypotheses:
        texts.setdefault(hypothesis.text, hypothesis)
    return list(texts.values())


def list_remarks(translator: Translator, on_long: OnLong) -> list[str]:
    """What a user must know of the lines that `translator` has translated: how many were too long, or cut."""
    remarks = [describe_long_lines(translator, on_long)] if translator.overlong else []
    return [*remarks, describe_cut_lines(translator)] if translator.cut else remarks


def describe_long_lines(translator: Translator, on_long: OnLong) -> str:
    """How many lines were too long for `translator`, and what was done with them."""
    done = {"split": "split", "truncate": "truncated", "error": "refused"}[on_long]
    number = translator.overlong
    were = "line of more than {} subwords was" if number == 1 else "lines of more than {} subwords were"
    return f"{number:,} {were.format(f'{translator.longest:,}')} {done}"


def describe_cut_lines(translator: Translator) -> str:
    """How many translations `translator` had to cut, and at what length."""
    were = "translation was" if translator.cut == 1 else "translations were"
    text = f"{translator.cut:,} {were} cut at the limit of {translator.limit.describe()}"
    if translator.longest_output is not None:
        return f"{text}, or of {translator.longest_output:,}, which is all that this model can write"
    return f"{text} (--set evaluation.max_output=N sets another; of translate and evaluate, --max-output)"


def load(
    path: str | Path,
    device: str | torch.device = "auto",
    checkpoint: str | int | None = None,
    precision: str | None = None,
) -> Model:
    """Load the model of a run directory, or of a model/ folder wherever it was copied.

    `device` is "cpu", "cuda", "cuda:N" for the GPU number N, "mps", or "auto" for the first of CUDA, MPS and CPU that is
    there. `checkpoint` chooses one of a run's checkpoints instead, whether the run is finished or not: "last", "best" by
    training.select, or the number of an update. `precision` is that of the products when translating: "fp32", "bf16",
    "auto" for bf16 where the hardware multiplies it natively, else fp32, or None for `evaluation.precision` of the config.

    Raises UsageError if there is no model, no checkpoint, no device or no precision of that name, DataError or ConfigError
    if a file is damaged. It is safe to load a folder from a stranger: nothing in it is executed, nothing outside of it is
    read, and memory is only taken for weights that its files really hold.
    """
    if not isinstance(path, str | PathLike):
        raise UsageError(f"path is {path!r}", "name a run directory of `seq2attn train`, or its model/ folder")
    chosen = choose_device(str(device))
    files = (
        ModelFiles.of_folder(find_model_folder(Path(path)))
        if checkpoint is None
        else find_checkpoint(Path(path), checkpoint)
    )
    config = load_complete_config(files.config)
    resolved = choose_precision(config.evaluation.precision if precision is None else precision, chosen)
    tokenizer = Tokenizer.load(files.tokenizer, config.data.form)
    if tokenizer.joint != config.data.tokenizer.joint:
        raise DataError(f"{files.path}: its SentencePiece models are not those of its config", "copy the model again")
    weights = files.weights
    header = read_header(weights)
    layers = config.model.encoder.layers + config.model.decoder.layers
    if layers > len(header):
        raise DataError(
            f"{weights}: does not fit the config's model: it has no {layers} layers", "copy the model again"
        )
    with torch.device("meta"):
        outline = _build(config, tokenizer, weights)
    load_weights(outline, header, weights)
    tensors = read_tensors(weights)
    check_finite(weights, tensors)
    network = _build(config, tokenizer, weights)
    load_weights(network, tensors, weights)
    network.to(chosen, torch.float32).eval()
    return Model(network, tokenizer, config, files.path, read_limit(files.limits), resolved)


def _build(config: Config, tokenizer: Tokenizer, weights: Path) -> Seq2Seq:
    try:
        return build_network(config, tokenizer)
    except (RuntimeError, OverflowError, TypeError) as error:  # sizes beyond all integers
        message = f"{weights}: does not fit the config's model: {str(error).splitlines()[0]}"
        raise DataError(message, "copy the model again, or train it again") from error


def find_model_folder(path: Path) -> Path:
    """`path` itself if it is a model folder, else its model/. Raises UsageError if neither is one."""
    check_there(path)
    check_no_checkpoint(path)
    for folder in (path, path / "model"):
        if (folder / WEIGHTS).is_file():
            return folder
    if is_run(path):
        has_checkpoint = bool(Checkpoints(path / CHECKPOINTS).updates())
        raise UsageError(
            f"{path}: this run is not finished, so it has no model/ yet",
            "use its newest checkpoint with --checkpoint last, or run its `seq2attn train` command again"
            if has_checkpoint
            else "it has no checkpoint yet: run its `seq2attn train` command again",
        )
    raise UsageError(f"{path}: no model here", "name a run directory of `seq2attn train`, or its model/ folder")
