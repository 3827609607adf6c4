"""The translations of a test set by a run, kept in a file so that nothing is translated twice."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import seq2attn
from seq2attn.config.config import Config
from seq2attn.durable import write_whole
from seq2attn.inference.model import Model, load
from seq2attn.machine import choose_device, resolve_precision
from seq2attn.runs.progress import count_progress, say


def translate_once(
    run: Path,
    config: Config,
    lines: Sequence[str],
    *,
    fingerprint: str,
    file: Path,
    device: str = "auto",
    load: Callable[..., Model] = load,
) -> tuple[list[str], list[str]]:
    """Translate `lines` with the model of `run` and the search settings of `config`: one translation for each, and remarks.

    The remarks say what a reader must know of the translations. Lines are split as in `evaluate`.

    They are read from `file` if the JSON beside it says that the same model translated the same test set (`fingerprint`)
    with the same settings; else they are written there. `load` gives the model of a run directory on a device.
    """
    evaluation = config.evaluation
    record = {
        "model": hash_model(run / "model"),
        "test": fingerprint,
        "sentences": len(lines),
        "beam": evaluation.beam,
        "length_penalty": evaluation.length_penalty,
        "max_output": evaluation.max_output,
        "precision": resolve_precision(evaluation.precision, choose_device(device)),
        "seq2attn": seq2attn.__version__,
    }
    kept = _read_kept(file, record)
    hypotheses, remarks = kept or _translate(run, config, lines, device, load)
    for remark in remarks:
        say(f"{run}: {remark}")
    if kept is None:
        file.parent.mkdir(parents=True, exist_ok=True)
        _name_record(file).unlink(missing_ok=True)
        write_whole(file, "".join(f"{line}\n" for line in hypotheses))
        write_whole(_name_record(file), json.dumps({**record, "remarks": remarks}, indent=2) + "\n")
    return hypotheses, remarks


def _translate(
    run: Path, config: Config, lines: Sequence[str], device: str, load: Callable[..., Model]
) -> tuple[list[str], list[str]]:
    evaluation = config.evaluation
    say(f"{run}: translating {len(lines):,} test sentences")
    with count_progress(str(run), len(lines), unit="sentences") as progress:
        return load(run, device, precision=evaluation.precision).translate_with_remarks(
            lines,
            beam=evaluation.beam,
            length_penalty=evaluation.length_penalty,
            max_length=config.longest_tested,
            max_output=evaluation.max_output,
            progress=progress,
        )


def read_precision(file: Path) -> str:
    """The precision that the translations in `file` were made in."""
    return str(json.loads(_name_record(file).read_text(encoding="utf-8"))["precision"])


def _name_record(file: Path) -> Path:
    return file.with_suffix(".json")


def _read_kept(file: Path, record: dict[str, object]) -> tuple[list[str], list[str]] | None:
    try:
        kept = json.loads(_name_record(file).read_text(encoding="utf-8"))
        remarks = kept.pop("remarks", None)
        if kept != record or remarks is None:
            return None
        lines = file.read_text(encoding="utf-8").split("\n")[:-1]
    except (OSError, ValueError):
        return None
    return (lines, remarks) if len(lines) == record["sentences"] else None


def hash_model(folder: Path) -> str:
    """SHA-256 of the names and contents of a model folder's files, its README left out."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".md"):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
