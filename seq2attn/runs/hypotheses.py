"""The translations of a test set by a run, kept beside the report so that nothing is translated twice."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import seq2attn
from seq2attn.config.config import Config
from seq2attn.durable import write_whole
from seq2attn.inference.model import ANY_LENGTH, load
from seq2attn.runs.progress import say


def translated(
    run: Path, config: Config, lines: Sequence[str], *, fingerprint: str, file: Path, device: str = "auto"
) -> list[str]:
    """One translation for each line, with the config's beam and length penalty.

    Read from `file` if the JSON beside it says that the same model made them from the same test set (`fingerprint`) in
    the same way; else made anew and written there.
    """
    evaluation = config.evaluation
    made_by = {
        "model": model_hash(run / "model"),
        "test": fingerprint,
        "sentences": len(lines),
        "beam": evaluation.beam,
        "length_penalty": evaluation.length_penalty,
        "seq2attn": seq2attn.__version__,
    }
    kept = _kept(file, made_by)
    if kept is not None:
        return kept
    say(f"{run}: translating {len(lines):,} test sentences")
    model = load(run, device)
    hypotheses = model.translate(
        lines, beam=evaluation.beam, length_penalty=evaluation.length_penalty, max_length=ANY_LENGTH
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    _record(file).unlink(missing_ok=True)
    write_whole(file, "".join(f"{line}\n" for line in hypotheses))
    write_whole(_record(file), json.dumps(made_by, indent=2) + "\n")
    return hypotheses


def _record(file: Path) -> Path:
    return file.with_suffix(".json")


def _kept(file: Path, made_by: dict[str, object]) -> list[str] | None:
    try:
        if json.loads(_record(file).read_text(encoding="utf-8")) != made_by:
            return None
        lines = file.read_text(encoding="utf-8").split("\n")[:-1]
    except (OSError, ValueError):
        return None
    return lines if len(lines) == made_by["sentences"] else None


def model_hash(folder: Path) -> str:
    """SHA-256 of the names and contents of the model's files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".md"):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
