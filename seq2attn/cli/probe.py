"""`seq2attn probe`: small experiments that show how attention works. Those on trained models are in probe_models."""

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2attn.cli.options import AsJson, Threads
from seq2attn.cli.output import check_output
from seq2attn.errors import UsageError

if TYPE_CHECKING:
    from seq2attn.probes.pictures import Result

app = typer.Typer(no_args_is_help=True, help="Small experiments that show how attention works.")

Plot = Annotated[Path | None, typer.Option(metavar="FILE", help="Draw a picture: FILE.png, .svg or .pdf.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of the random numbers.")]
Vector = tuple[float, ...]

_MOST_POSITIONS = 8192  # the full attention of as many takes about 5 GB
_MOST_WORDS = 2048  # as many as there are tokens in a batch of the cost probe
_LARGEST_NUMBER = 1e6  # so that every score stays finite
_ONE_THREAD = 1  # for computations so small that threads would only wait for each other


@app.command()
def worked(
    query: Annotated[str, typer.Option(metavar="NUMBERS", help="Your query, such as 0.5,0.5.")] = "",
    keys: Annotated[str, typer.Option(metavar="ROWS", help="Your keys, such as '1,2;3,4'.")] = "",
    values: Annotated[str, typer.Option(metavar="ROWS", help="Your values; by default, the keys.")] = "",
    as_json: AsJson = False,
    plot: Plot = None,
) -> None:
    """Work two examples, or your own vectors, step by step: scores, weights, weighted sum, entropy."""
    check_plot(plot)
    from seq2attn import machine
    from seq2attn.probes.worked import PAIRS, STATES, VectorExample, work_examples

    examples = [STATES, PAIRS]
    if query or keys or values:
        given_query = _read_vector("--query", query) if query else STATES.query
        given_keys = _read_rows("--keys", keys) if keys else STATES.keys
        given_values = _read_rows("--values", values) if values else given_keys
        _check_shapes(given_query, given_keys, given_values)
        examples = [VectorExample("Your vectors", given_query, given_keys, given_values)]
    machine.set_up_torch(_ONE_THREAD)
    report(work_examples(examples), as_json, plot)


@app.command()
def scaling(
    draws: Annotated[int, typer.Option(min=1, help="How many queries to draw at each width.")] = 2000,
    seed: Seed = 1,
    as_json: AsJson = False,
    plot: Plot = None,
) -> None:
    """Show why scores are divided by √d: what the width d of query and key does to scores, weights and gradient."""
    check_plot(plot)
    from seq2attn import machine
    from seq2attn.probes.scaling import measure_scaling

    machine.set_up_torch(_ONE_THREAD)
    report(measure_scaling(draws=draws, seed=seed), as_json, plot)


@app.command()
def permutation(seed: Seed = 1, as_json: AsJson = False, plot: Plot = None) -> None:
    """Show which encoders know the order of their words: permute the words, and see what changes."""
    check_plot(plot)
    from seq2attn import machine
    from seq2attn.probes.permutation import measure_permutation

    machine.set_up_torch(_ONE_THREAD)
    report(measure_permutation(seed=seed), as_json, plot)


@app.command()
def cost(
    lengths: Annotated[
        str, typer.Option(metavar="N,N,…", help="Positions of a sentence: pairs, time and memory.")
    ] = "64,128,256,512,1024,2048",
    sentence_lengths: Annotated[
        str, typer.Option(metavar="N,N,…", help="Words of a sentence: speed of training.")
    ] = "8,16,32,64,128,256",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Threads = None,
    seed: Seed = 1,
    as_json: AsJson = False,
    plot: Plot = None,
) -> None:
    """Count and measure what attention costs: pairs, memory in search, time and memory by length, speed of training."""
    positions = _read_lengths("--lengths", lengths, _MOST_POSITIONS)
    words = _read_lengths("--sentence-lengths", sentence_lengths, _MOST_WORDS)
    check_plot(plot)
    from seq2attn import machine
    from seq2attn.probes.cost.cost import measure_cost

    machine.set_up_torch(threads)
    result = measure_cost(lengths=positions, sentence_lengths=words, device=machine.choose_device(device), seed=seed)
    report(result, as_json, plot)


def report(result: "Result", as_json: bool, plot: Path | None) -> None:
    """Print what a probe measured, as text or as one JSON object, and draw it into the file `plot`."""
    typer.echo(json.dumps(result.to_json(), indent=2, ensure_ascii=False) if as_json else result.to_text())
    if plot is not None:
        from seq2attn.probes.pictures import draw, write_picture

        write_picture(draw(result), plot)


def check_plot(plot: Path | None) -> None:
    """Raises UsageError, before any work is done, if the picture cannot be drawn or written."""
    if plot is None:
        return
    if plot.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise UsageError(f"--plot {plot}: a picture's name ends in .png, .svg or .pdf", "for example --plot probe.png")
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError(f"--plot {plot}: matplotlib, which draws it, is not installed", "pip install 'seq2attn[plot]'")
    try:
        check_output(plot)
    except UsageError as error:
        raise UsageError(f"--plot {error.message}", "choose another file") from error


def _read_lengths(option: str, text: str, most: int) -> tuple[int, ...]:
    """The numbers of "64,128", in ascending order, each once."""
    for part in text.split(","):
        if not (part.strip().isdecimal() and 1 <= int(part) <= most):
            message = f"{option}: `{part}` is not a whole number from 1 to {most}"
            raise UsageError(message, f"for example {option} 64,128,256")
    return tuple(sorted({int(part) for part in text.split(",")}))


def _read_rows(option: str, text: str) -> tuple[Vector, ...]:
    """The rows of "1,2;3,4", all of one length."""
    rows = tuple(_read_vector(option, row) for row in text.split(";"))
    if len({len(row) for row in rows}) > 1:
        raise UsageError(f"{option} {text}: rows of different lengths", f"for example {option} '1,2;3,4'")
    return rows


def _read_vector(option: str, text: str) -> Vector:
    """The numbers of "0.5,0.5"."""
    for part in text.split(","):
        try:
            legal = abs(float(part)) <= _LARGEST_NUMBER
        except ValueError:
            legal = False
        if not legal:
            example = "0.5,0.5" if option == "--query" else "'1,2;3,4'"
            raise UsageError(f"{option}: `{part}` is not a number from -1e6 to 1e6", f"for example {option} {example}")
    return tuple(float(part) for part in text.split(","))


def _check_shapes(query: Vector, keys: tuple[Vector, ...], values: tuple[Vector, ...]) -> None:
    """Raises UsageError unless the keys are as wide as the query, and there is a value for each key."""
    if len(keys[0]) != len(query):
        message = f"--query has {len(query)} numbers, but each row of --keys {len(keys[0])}"
        raise UsageError(message, "a score needs as many numbers in the query as in each key: give both options")
    if len(values) != len(keys):
        raise UsageError(f"--values has {len(values)} rows, but --keys {len(keys)}", "give one value for each key")
