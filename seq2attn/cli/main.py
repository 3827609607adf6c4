"""The `seq2attn` command. Nothing heavy is imported until a command needs it."""

import os
import signal
import sys
import traceback
from contextlib import suppress
from typing import Annotated

import typer
from typer.exceptions import TyperException

from seq2attn.cli import config, probe, probe_models
from seq2attn.cli.attend import attend
from seq2attn.cli.average import average
from seq2attn.cli.compare import compare
from seq2attn.cli.corpus import corpus
from seq2attn.cli.demo import demo
from seq2attn.cli.evaluate import evaluate
from seq2attn.cli.mistakes import describe_mistake
from seq2attn.cli.output import discard_output
from seq2attn.cli.sweep import sweep
from seq2attn.cli.train import train
from seq2attn.cli.translate import translate
from seq2attn.cli.tune import tune
from seq2attn.ending import EXIT_CODES, list_heeded
from seq2attn.errors import Seq2attnError, make_printable

app = typer.Typer(
    name="seq2attn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, compare and understand translation models: with one fixed vector, with attention, or a Transformer.",
)
for command in (train, translate, evaluate, attend, compare, demo, sweep, tune, average, corpus):
    app.command()(command)
app.add_typer(config.app, name="config")
for experiment in (probe_models.attention, probe_models.heads, probe_models.capacity):
    probe.app.command()(experiment)
app.add_typer(probe.app, name="probe")


def _version(wanted: bool) -> bool:
    if wanted:
        from seq2attn import __version__

        typer.echo(f"seq2attn {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """The options before a command."""


def main() -> None:
    """Run the command line. Exit codes: 0 fine, 2 bad usage, config or data, 3 diverged, 129/130/143 stopped, 1 else."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments  # before or after the command
    code = _run([argument for argument in arguments if argument != "--debug"], debug)
    for number in list_heeded():
        signal.signal(number, signal.SIG_DFL)  # the command has ended; Python shuts down
    if code in EXIT_CODES:
        with suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
        os._exit(code)  # threads of libraries might still be at work, and complain when Python shuts down
    sys.exit(code)


def _run(arguments: list[str], debug: bool) -> int:
    try:
        result = app(arguments, standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except Seq2attnError as error:
        code = _report(error.message, error.hint, error.exit_code, debug)
        for other in error.others:
            _report(other.message, other.hint, code, debug=False)
        return code
    except TyperException as error:  # without a message, typer has printed the help
        message = describe_mistake(error)
        return _report(message, "`--help` after a command shows its options", error.exit_code, debug) if message else 0
    except BrokenPipeError:  # the reader of the output has gone, so nobody is there to tell
        discard_output()
        return 0
    except Exception as error:
        return _report(f"{type(error).__name__}: {error}", "`--debug` shows where", 1, debug)


def _report(message: str, hint: str, code: int, debug: bool) -> int:
    """Print an error and its hint on stderr, and give the exit code back. A stop that somebody asked for is no error."""
    if sys.stderr is None:  # it is closed, and print would write to standard output instead
        return code
    if debug:
        traceback.print_exc()
    with suppress(OSError):  # the terminal may be gone
        print(f"seq2attn: {'' if code in EXIT_CODES else 'error: '}{make_printable(message)}", file=sys.stderr)
        if hint:
            print(f"hint: {hint}", file=sys.stderr)
    return code
