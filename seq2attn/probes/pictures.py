"""From a probe's result to its picture. Pictures need matplotlib, the extra `plot`."""

import io
from pathlib import Path
from typing import assert_never

from matplotlib.figure import Figure

from seq2attn.errors import UsageError
from seq2attn.probes.attention import AttentionStatistics
from seq2attn.probes.capacity import Capacity
from seq2attn.probes.cost.cost import Cost
from seq2attn.probes.heads import HeadImportance
from seq2attn.probes.permutation import Permutation
from seq2attn.probes.plots import draw_cost, draw_permutation, draw_scaling, draw_worked
from seq2attn.probes.plots_models import draw_attention, draw_capacity, draw_heads
from seq2attn.probes.scaling import Scaling
from seq2attn.probes.worked import WorkedExamples

Result = WorkedExamples | Scaling | Permutation | Cost | AttentionStatistics | HeadImportance | Capacity


def draw(result: Result) -> Figure:
    """The picture of what a probe measured."""
    match result:
        case WorkedExamples():
            return draw_worked(result)
        case Scaling():
            return draw_scaling(result)
        case Permutation():
            return draw_permutation(result)
        case Cost():
            return draw_cost(result)
        case AttentionStatistics():
            return draw_attention(result)
        case HeadImportance():
            return draw_heads(result)
        case Capacity():
            return draw_capacity(result)
        case _:
            assert_never(result)


def write_picture(figure: Figure, file: Path, option: str = "--plot") -> None:
    """Write a picture in the format that the file's name ends in. Raises UsageError if it cannot be written."""
    picture = io.BytesIO()
    figure.savefig(picture, format=file.suffix[1:].lower(), dpi=150)
    try:
        file.write_bytes(picture.getvalue())
    except OSError as error:
        raise UsageError(f"{option} {file}: cannot be written: {error.strerror}", "choose another file") from error
