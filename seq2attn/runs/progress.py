"""What a person sees while waiting: a progress bar on a terminal, plain lines in a log. All on stderr."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tqdm import tqdm

from seq2attn.tables import format_duration

LINE_EVERY = 10.0  # seconds between plain lines
SIZE = 80, 24  # columns and rows of a terminal that does not know its own
BAR = "{{desc}}: {{percentage:3.0f}} % |{{bar}}| {{n:.0f}} of {{total_fmt}} {unit}, {{remaining}} left{{postfix}}"
COUNT = "{{desc}}: {{n:,.0f}} {unit}, {{elapsed}}"


def say(text: str) -> None:
    """Print one line for the person who waits, on standard error; whoever has closed the terminal waits no more."""
    if sys.stderr is not None:
        with suppress(OSError):
            tqdm.write(text, file=sys.stderr)


class Progress:
    """Updates done, loss, target tokens a second, time left, of the run in `path`."""

    def __init__(self, path: Path, last: int) -> None:
        self._path = path
        self._last = last
        self._bar = tqdm(disable=True)
        self._started, self._first, self._shown = 0.0, 0, 0.0

    def start(self, first: int) -> None:
        """Training goes on after update `first`."""
        self._bar = _open_bar(_shorten(self._path), self._last, unit="updates", initial=first)
        self._started, self._first, self._shown = time.monotonic(), first, time.monotonic()

    def show_training(self, update: int, values: Mapping[str, float]) -> None:
        """Show a train event."""
        figures = f"loss {values['loss']:.3f}, {values['target_tokens_per_second']:,.0f} target tokens/s"
        if not self._bar.disable:
            self._bar.set_postfix_str(figures, refresh=False)
            with suppress(OSError):
                self._bar.update(update - self._bar.n)
            return
        now = time.monotonic()
        if now - self._shown >= LINE_EVERY or update == self._last:
            seconds = (now - self._started) / max(1, update - self._first) * (self._last - update)
            left = f", about {format_duration(seconds)} left" if update < self._last else ""
            say(f"{self._path}: update {update}/{self._last}: {figures}{left}")
            self._shown = now

    def show_validation(self, update: int, values: Mapping[str, float]) -> None:
        """Show a validation event."""
        say(
            f"{self._path}: update {update}/{self._last}: validation BLEU {values['bleu']:.2f}, "
            f"chrF2 {values['chrf']:.2f}, loss {values['loss']:.3f}"
        )

    def close(self) -> None:
        """Take the bar away."""
        with suppress(OSError):
            self._bar.close()


@contextmanager
def count_progress(name: str, total: int | None, *, unit: str) -> Iterator[Callable[[float], None]]:
    """Give a function that is told of so many more done: it moves a bar, or, off a terminal, says so now and then.

    Without a `total`, which then is not known, it counts.
    """
    started = shown = time.monotonic()
    done = 0.0
    with _open_bar(name, total, unit=unit) as bar:

        def count(more: float) -> None:
            nonlocal done, shown
            done += more
            if not bar.disable:
                bar.update(more)
                return
            now = time.monotonic()
            if now - shown >= LINE_EVERY:
                if total is None:
                    say(f"{name}: {done:,.0f} {unit}")
                else:
                    left = (now - started) / done * (total - done)
                    say(f"{name}: {done:,.0f} of {total:,} {unit}, about {format_duration(left)} left")
                shown = now

        yield count


def _open_bar(name: str, total: int | None, *, unit: str, initial: int = 0) -> "tqdm[Any]":
    """A bar on standard error, which is not shown off a terminal."""
    form = (COUNT if total is None else BAR).format(unit=unit)
    hidden = True if sys.stderr is None else None  # None: unless standard error is a terminal
    bar = tqdm(total=total, desc=name, bar_format=form, file=sys.stderr, disable=hidden, leave=False, initial=initial)
    if not bar.disable and bar.ncols is not None and bar.ncols < 1:
        bar.ncols, bar.nrows = SIZE
    return bar


def _shorten(path: Path) -> str:
    """What a bar calls a run: its folder's name; in a comparison, NAME of NAME/seed-1 too."""
    return f"{path.parent.name}/{path.name}" if path.name.startswith("seed-") else path.name
