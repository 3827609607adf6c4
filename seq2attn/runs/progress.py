"""What a person sees while training: a progress bar on a terminal, plain lines in a log. All on stderr."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from tqdm import tqdm

LINE_EVERY = 10.0  # seconds between plain lines
BAR = "{{desc}}: {{percentage:3.0f}} % |{{bar}}| {{n_fmt}} of {{total_fmt}} {unit}, {{remaining}} left{{postfix}}"


def say(text: str) -> None:
    """Print one line for the person who waits, on standard error; whoever has closed the terminal waits no more."""
    with suppress(OSError):
        tqdm.write(text, file=sys.stderr)


class Progress:
    """Updates done, loss, target tokens a second, time left."""

    def __init__(self, name: str, last: int) -> None:
        self._name = name
        self._last = last
        self._bar = tqdm(disable=True)
        self._started, self._first, self._shown = 0.0, 0, 0.0

    def start(self, first: int) -> None:
        """Training goes on after update `first`."""
        self._bar = tqdm(
            total=self._last,
            initial=first,
            desc=self._name,
            bar_format=BAR.format(unit="updates"),
            file=sys.stderr,
            disable=None,
            leave=False,
        )
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
            left = (now - self._started) / max(1, update - self._first) * (self._last - update)
            say(f"{self._name}: update {update}/{self._last}, {figures}, {_format_duration(left)} left")
            self._shown = now

    def show_validation(self, update: int, values: Mapping[str, float]) -> None:
        """Show a validation event."""
        say(
            f"{self._name}: update {update}/{self._last}: validation BLEU {values['bleu']:.2f}, "
            f"chrF2 {values['chrf']:.2f}, loss {values['loss']:.3f}"
        )

    def close(self) -> None:
        """Take the bar away."""
        with suppress(OSError):
            self._bar.close()


@contextmanager
def count_progress(name: str, total: int, *, unit: str) -> Iterator[Callable[[int], None]]:
    """Give a function that is told of so many more done: it moves a bar, or, off a terminal, says so now and then."""
    started = shown = time.monotonic()
    done = 0
    with tqdm(
        total=total, desc=name, bar_format=BAR.format(unit=unit), file=sys.stderr, disable=None, leave=False
    ) as bar:

        def count(more: int) -> None:
            nonlocal done, shown
            done += more
            if not bar.disable:
                bar.update(more)
                return
            now = time.monotonic()
            if now - shown >= LINE_EVERY:
                left = (now - started) / done * (total - done)
                say(f"{name}: {done:,} of {total:,} {unit}, about {_format_duration(left)} left")
                shown = now

        yield count


def _format_duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
