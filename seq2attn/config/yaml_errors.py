"""PyYAML's errors in the words of who wrote the text: what is wrong, in which line, and what to type instead."""

import re
from typing import NamedTuple

import yaml


class YamlFlaw(NamedTuple):
    """What is wrong in a 1-based line, and what to do about it."""

    line: int
    what: str
    hint: str


class _Known(NamedTuple):
    """What an error of PyYAML's that matches `pattern` comes from.

    {0} is the pattern's group, {opening} the character where PyYAML says that the trouble began, {start} its line.
    `at_start`: that is the line to name, not where it was noticed. `after_key`: only where a `: ` stands before.
    """

    pattern: str
    what: str
    hint: str
    at_start: bool = False
    after_key: bool = False


_LOOK = "check the indentation, and that every bracket and quote is closed, here and just above"
_QUOTE = "put the value in quotes"
_KNOWN = (
    _Known(r"'\\t' that cannot start", "a tab where only spaces may stand", "use spaces instead of tabs"),
    _Known(r"'(.)' that cannot start", "a value cannot begin with `{0}`", _QUOTE),
    _Known(
        r"scanning an? (?:alias|anchor|tag)|parsing a tag|undefined tag handle",
        "a value cannot begin with `{opening}`",
        _QUOTE,
        at_start=True,
    ),
    _Known(
        r"undefined alias '(.*)'",
        "there is no `&{0}` before `*{0}`",
        "write `&{0}` before the value to repeat, or put `*{0}` in quotes",
    ),
    _Known(r"duplicate anchor '(.*?)'", "`&{0}` is there twice", "give one of the two another name"),
    _Known(r"another document", "a second document begins", "a config is one document: remove the line `---`"),
    _Known(
        r"expected ',' or '(.)', but got '<stream end>'",
        "the `{opening}` is not closed",
        "add the missing `{0}`",
        at_start=True,
    ),
    _Known(r"node content, but found '<stream end>'", "a bracket is not closed", "add the missing `]` or `}}`"),
    _Known(
        r"expected ',' or '(.)', but got ':'",
        "a `,` or `{0}` is missing before this `:`, in the `{opening}` of line {start}",
        "add it, or put a value that holds `: ` in quotes",
    ),
    _Known(r"expected ',' or '(.)'", "a `,` or `{0}` is missing, in the `{opening}` of line {start}", "add it"),
    _Known(
        r"quoted scalar found unexpected end",
        "the quote {opening} is not closed",
        "add the missing {opening}",
        at_start=True,
    ),
    _Known(
        r"unknown escape character|expected escape sequence",
        "no such escape in double quotes",
        "use single quotes, or write `\\\\` for each `\\`",
    ),
    _Known(
        r"mapping values are not allowed",
        "a second `: ` in one line",
        "put a value that holds `: ` in quotes",
        after_key=True,
    ),
    _Known(
        r"mapping values are not allowed",
        "a key that does not go with the line above",
        "indent both lines alike, and end each key with `:`",
    ),
    _Known(r"sequence entries are not allowed", "a list begins within a line", "write it as [a, b]"),
    _Known(r"find expected ':'", "a key without its `:`", "write `key: value`", at_start=True),
    _Known(r"(?:<block end>|block node.*), but found '([\]}])'", "the `{0}` closes nothing", "remove it"),
    _Known(
        r"<block end>, but found '<scalar>'",
        "text after a closing quote",
        "put the whole value in quotes; within single quotes, write '' for '",
        after_key=True,
    ),
    _Known(
        r"<block end>, but found",
        "the line is not indented as those that it belongs to",
        "give the keys of one mapping, or the items of one list, the same indentation",
    ),
    _Known(r"the node content, but found ','", "no value before the comma", "write the value, or remove the comma"),
)


def explain_yaml_error(error: yaml.MarkedYAMLError) -> YamlFlaw:
    """What is wrong with the text; in PyYAML's own words where it is nothing that is known here."""
    said = " ".join(part for part in (error.context, error.problem) if part)
    here = error.problem_mark or error.context_mark
    start = error.context_mark or here
    if here is None or start is None or here.buffer is None:  # never of a text
        return YamlFlaw(1, said, _LOOK)
    opening = here.buffer[start.pointer]
    is_after_key = ": " in here.buffer[here.pointer - here.column : here.pointer]
    for known in _KNOWN:
        found = re.search(known.pattern, said)
        if found is not None and (is_after_key or not known.after_key):
            what, hint = (
                part.format(*found.groups(), opening=opening, start=start.line + 1) for part in (known.what, known.hint)
            )
            return YamlFlaw((start if known.at_start else here).line + 1, what, hint)
    return YamlFlaw(here.line + 1, said, _LOOK)
