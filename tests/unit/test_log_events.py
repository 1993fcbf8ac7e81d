"""Each line of the logs has a name of its own, by which it is found whatever it mentions."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from pathlib import Path

import pipeline
from pipeline.logs import event_of

SOURCES = Path(pipeline.__file__).parent
LEVELS = {"info", "warning", "error", "critical", "exception", "log"}
#: A name made of fewer words of the message says too little, and another line may have it, too.
LEAST_WORDS = 3


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of a module's logger, and where it stands."""
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "log"
            ):
                yield f"{path.relative_to(SOURCES)}:{node.lineno}", node


def is_named(call: ast.Call) -> bool:
    """Whether the code names the event."""
    given = next((keyword.value for keyword in call.keywords if keyword.arg == "extra"), None)
    return isinstance(given, ast.Dict) and any(
        isinstance(key, ast.Constant) and key.value == "event" for key in given.keys
    )


def words(call: ast.Call) -> int:
    """How many words of the message its name would have."""
    assert isinstance(call.func, ast.Attribute)
    message = call.args[1 if call.func.attr == "log" else 0]
    if not isinstance(message, ast.Constant):
        return 0
    record = logging.LogRecord("pipeline", logging.INFO, "", 0, message.value, None, None)
    return len(event_of(record).removeprefix("pipeline").strip(".").split("_"))


def test_every_line_of_the_log_has_a_name_of_its_own() -> None:
    poor = [where for where, call in calls() if not is_named(call) and words(call) < LEAST_WORDS]
    assert poor == [], "give these extra={'event': ...}"
