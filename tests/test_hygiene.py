"""Rules for the tests themselves."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
WAITING = {"subprocess.run", "subprocess.check_call", "subprocess.check_output"}


def calls(file: Path) -> Iterator[ast.Call]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def waits_without_limit(call: ast.Call) -> bool:
    """True for `subprocess.run(…)` and `process.communicate(…)` without a timeout, and for `process.wait()`."""
    limited = any(keyword.arg == "timeout" for keyword in call.keywords)
    name = ast.unparse(call.func)
    return not limited and (name in WAITING or name.endswith((".communicate", "process.wait")))


@pytest.mark.parametrize("file", sorted(TESTS.rglob("*.py")), ids=lambda file: str(file.relative_to(TESTS)))
def test_every_subprocess_has_a_time_limit(file: Path) -> None:
    assert [f"{file}:{call.lineno}" for call in calls(file) if waits_without_limit(call)] == []


def test_a_wait_without_a_limit_is_noticed() -> None:
    texts = {"subprocess.run([])": True, "subprocess.run([], timeout=3)": False, "process.communicate()": True}
    for text, expected in texts.items():
        (call,) = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
        assert waits_without_limit(call) is expected
