"""`seq2attn probe` on trained models: what their attention does, and what a fixed vector can hold."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2attn.cli.options import AsJson, Checkpoint, Device, Jobs, Overrides, RunOrModel, Test, Threads
from seq2attn.cli.probe import Plot, Seed, check_plot, report

if TYPE_CHECKING:
    from seq2attn.inference.model import Model

Sentences = Annotated[int, typer.Option(min=1, help="How many sentences, spread evenly over the test set.")]


def attention(
    run: RunOrModel,
    test: Test = None,
    sentences: Sentences = 100,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    threads: Threads = None,
    seed: Seed = 1,
    as_json: AsJson = False,
    plot: Plot = None,
) -> None:
    """Show how sharp a trained model's attention is: zeros, entropy and effective support, beside random scores."""
    check_plot(plot)
    from seq2attn.probes.attention import measure_attention

    model, pairs = _load(run, checkpoint, test, sentences, device, threads)
    report(measure_attention(model, pairs, seed=seed), as_json, plot)


def heads(
    run: RunOrModel,
    test: Test = None,
    sentences: Sentences = 100,
    checkpoint: Checkpoint = None,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
    plot: Plot = None,
) -> None:
    """Mask each head of a trained model in turn: how much BLEU is lost without it, and where it looks."""
    check_plot(plot)
    from seq2attn.probes.heads import measure_heads

    model, pairs = _load(run, checkpoint, test, sentences, device, threads)
    report(measure_heads(model, pairs), as_json, plot)


def capacity(
    out: Annotated[Path, typer.Option("--out", help="Folder of the runs and the translations.")] = Path(
        "runs/capacity"
    ),
    sentences: Annotated[int, typer.Option(min=10, help="How many new sentences to test on.")] = 2000,
    overrides: Overrides = None,
    jobs: Jobs = 2,
    device: Device = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
    plot: Plot = None,
) -> None:
    """Train fixed vectors of several widths, attention and controls: at what length, and how much information, does each give in?

    Trains thirteen systems, each until validation no longer improves: an estimated day. Run again to go on where it stopped.
    """
    check_plot(plot)
    from seq2attn.probes.capacity_runs import measure_capacity

    result = measure_capacity(
        out, sentences=sentences, overrides=overrides or (), device=device, threads=threads, jobs=jobs
    )
    report(result, as_json, plot)


def _load(
    run: Path, checkpoint: str | None, test: str | None, sentences: int, device: str, threads: int | None
) -> tuple["Model", list[tuple[str, str]]]:
    """The model, and the pairs of source and reference to probe it on."""
    from seq2attn import machine
    from seq2attn.inference.model import load
    from seq2attn.probes.sentences import choose_pairs

    machine.set_up_torch(threads)
    model = load(run, device, checkpoint)
    return model, choose_pairs(model.config, test, sentences, run)
