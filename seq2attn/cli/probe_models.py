"""`seq2attn probe` on trained models: what their attention does, and what a fixed vector can hold."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2attn.cli.probe import AsJson, Plot, Seed, check_plot, report
from seq2attn.cli.train import Device, Threads

if TYPE_CHECKING:
    from seq2attn.inference.model import Model

Run = Annotated[Path, typer.Argument(metavar="RUN_OR_MODEL", help="Run directory, or its model/ folder.")]
Test = Annotated[
    str | None, typer.Option(metavar="PREFIX", help="Test files PREFIX.en, PREFIX.de; by default, the config's.")
]
Sentences = Annotated[int, typer.Option(min=1, help="How many sentences, spread evenly over the test set.")]


def attention(
    run: Run,
    test: Test = None,
    sentences: Sentences = 100,
    device: Device = "auto",
    threads: Threads = None,
    seed: Seed = 1,
    as_json: AsJson = False,
    plot: Plot = None,
) -> None:
    """Show how sharp a trained model's attention is: zeros, entropy and effective support, beside random scores."""
    check_plot(plot)
    from seq2attn.probes.attention import measure_attention

    model, pairs = _load(run, test, sentences, device, threads)
    report(measure_attention(model, pairs, seed=seed), as_json, plot)


def heads(
    run: Run,
    test: Test = None,
    sentences: Sentences = 100,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
    plot: Plot = None,
) -> None:
    """Mask each head of a trained model in turn: how much BLEU is lost without it, and where it looks."""
    check_plot(plot)
    from seq2attn.probes.heads import measure_heads

    model, pairs = _load(run, test, sentences, device, threads)
    report(measure_heads(model, pairs), as_json, plot)


def capacity(
    out: Annotated[Path, typer.Option("--out", help="Folder of the runs and the translations.")] = Path(
        "runs/capacity"
    ),
    sentences: Annotated[int, typer.Option(min=10, help="How many new sentences to test on.")] = 2000,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="a.b=c", help="Override a key of all configs (repeatable).")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many systems to train at a time; they share the threads.")] = 2,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
    plot: Plot = None,
) -> None:
    """Train fixed vectors of several widths, attention and controls: at what length, and how much information, does each give in?

    Trains eight systems. Run again to go on where it stopped.
    """
    check_plot(plot)
    from seq2attn.probes.capacity_runs import measure_capacity

    result = measure_capacity(
        out, sentences=sentences, overrides=overrides or (), device=device, threads=threads, jobs=jobs
    )
    report(result, as_json, plot)


def _load(
    run: Path, test: str | None, sentences: int, device: str, threads: int | None
) -> tuple["Model", list[tuple[str, str]]]:
    """The model, and the pairs of source and reference to probe it on."""
    from seq2attn import machine
    from seq2attn.inference.model import load
    from seq2attn.probes.sentences import choose_pairs

    machine.set_up(threads)
    model = load(run, device)
    return model, choose_pairs(model.config, test, sentences)
