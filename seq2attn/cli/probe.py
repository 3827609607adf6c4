"""`seq2attn probe`: small experiments that show how attention works, in seconds or a minute; of models, see probe_models."""

import importlib.util
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from seq2attn.cli.options import AsJson, Threads
from seq2attn.cli.output import check_output
from seq2attn.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Small experiments that show how attention works.")

Plot = Annotated[Path | None, typer.Option(metavar="FILE", help="Draw a picture: FILE.png, .svg or .pdf.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Another seed draws other numbers.")]
Vector = tuple[float, ...]

_LONGEST = 8192  # positions of a sentence, whose full attention takes about 5 GB
_LONGEST_SENTENCE = 2048  # tokens in a batch of the cost probe
_LARGEST = 1e6  # of numbers on the command line, so that every score stays finite


@app.command()
def worked(
    query: Annotated[str, typer.Option(metavar="NUMBERS", help="A query of your own, such as 0.5,0.5.")] = "",
    keys: Annotated[str, typer.Option(metavar="ROWS", help="Keys of your own, such as '1,2;3,4'.")] = "",
    values: Annotated[str, typer.Option(metavar="ROWS", help="Values of your own; else the keys.")] = "",
    as_json: AsJson = False,
    plot: Plot = None,
) -> None:
    """Work two examples, or vectors of your own, step by step: scores, weights, weighted sum, entropy."""
    check_plot(plot)
    from seq2attn.probes.worked import PAIRS, STATES, Example, work

    examples = [STATES, PAIRS]
    if query or keys or values:
        own_query = _vector("--query", query) if query else STATES.query
        own_keys = _vectors("--keys", keys) if keys else STATES.keys
        own_values = _vectors("--values", values) if values else own_keys
        _check_shapes(own_query, own_keys, own_values)
        examples = [Example("Your vectors", own_query, own_keys, own_values)]
    found = [work(example) for example in examples]
    tell("\n\n\n".join(each.to_text() for each in found), {"examples": [each.to_json() for each in found]}, as_json)
    if plot is not None:
        from seq2attn.probes import plots

        plots.write(plots.weights(found), plot)


@app.command()
def scaling(
    draws: Annotated[int, typer.Option(min=1, help="Queries at each width, each with keys of its own.")] = 2000,
    seed: Seed = 1,
    as_json: AsJson = False,
    plot: Plot = None,
) -> None:
    """Show why scores are divided by √d: what the width d of query and key does to scores, weights and gradient."""
    check_plot(plot)
    from seq2attn.probes.scaling import measure

    found = measure(draws=draws, seed=seed)
    tell(found.to_text(), found.to_json(), as_json)
    if plot is not None:
        from seq2attn.probes import plots

        plots.write(plots.scaling(found), plot)


@app.command()
def permutation(seed: Seed = 1, as_json: AsJson = False, plot: Plot = None) -> None:
    """Show which encoders know the order of their words: permute the words, and see what changes."""
    check_plot(plot)
    from seq2attn.probes.permutation import measure

    found = measure(seed=seed)
    tell(found.to_text(), found.to_json(), as_json)
    if plot is not None:
        from seq2attn.probes import plots

        plots.write(plots.permutation(found), plot)


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
    positions = _lengths("--lengths", lengths, _LONGEST)
    words = _lengths("--sentence-lengths", sentence_lengths, _LONGEST_SENTENCE)
    check_plot(plot)
    from seq2attn import machine
    from seq2attn.probes.cost.cost import measure

    machine.set_up_torch(threads)
    found = measure(lengths=positions, sentence_lengths=words, device=device, seed=seed)
    tell(found.to_text(), found.to_json(), as_json)
    if plot is not None:
        from seq2attn.probes import plots

        plots.write(plots.cost(found), plot)


def tell(text: str, figures: dict[str, Any], as_json: bool) -> None:
    """Print the figures as text or as one JSON object."""
    typer.echo(json.dumps(figures, indent=2, ensure_ascii=False) if as_json else text)


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


def _lengths(option: str, text: str, most: int) -> tuple[int, ...]:
    """The numbers of "64,128", in ascending order, each once."""
    for part in text.split(","):
        if not (part.strip().isdecimal() and 1 <= int(part) <= most):
            message = f"{option}: `{part}` is not a whole number from 1 to {most}"
            raise UsageError(message, f"for example {option} 64,128,256")
    return tuple(sorted({int(part) for part in text.split(",")}))


def _vectors(option: str, text: str) -> tuple[Vector, ...]:
    """The rows of "1,2;3,4", all of one length."""
    rows = tuple(_vector(option, row) for row in text.split(";"))
    if len({len(row) for row in rows}) > 1:
        raise UsageError(f"{option} {text}: rows of different lengths", f"for example {option} '1,2;3,4'")
    return rows


def _vector(option: str, text: str) -> Vector:
    """The numbers of "0.5,0.5"."""
    for part in text.split(","):
        try:
            fine = abs(float(part)) <= _LARGEST
        except ValueError:
            fine = False
        if not fine:
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
