"""What a user can be told: one line saying what is wrong and where, one hint saying what to do."""

from collections.abc import Sequence


class Seq2attnError(Exception):
    """An expected failure: `message` is what is wrong and where, `hint` what to do about it.

    `others` are further failures that came up with this one, such as all other errors of a config.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "", others: Sequence["Seq2attnError"] = ()) -> None:
        self.message, self.hint, self.others = make_printable(message), make_printable(hint), tuple(others)
        super().__init__(self.message)

    def __str__(self) -> str:
        """All messages, each on a line of its own."""
        return "\n".join(error.message for error in (self, *self.others))


def make_printable(text: str) -> str:
    """`text` on one line, with escapes for characters that cannot be printed, whatever a file has put into it."""
    line = " ".join(text.splitlines())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


class UsageError(Seq2attnError):
    """The command line asks for something that cannot be done."""

    exit_code = 2


class ConfigError(UsageError):
    """The config file is wrong: the message names the file, the line, the key and the value."""


class DataError(UsageError):
    """A corpus is wrong: the message names the file and the line."""


class SourceError(DataError):
    """A corpus that the config names under `key` cannot be read, for this `reason`."""

    def __init__(self, key: str, reason: DataError) -> None:
        self.key = key
        super().__init__(f"{key}: {reason.message}", reason.hint)


class NotFiniteError(DataError):
    """A model's scores are not numbers, so its weights are damaged, or training diverged."""


class DivergedError(Seq2attnError):
    """Training produced losses or gradients that are not finite."""

    exit_code = 3
