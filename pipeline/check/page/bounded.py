"""Reads a page in a process of its own, which is ended at a bound of time and memory.

A page can be made so that any HTML parser takes a time that grows with the square of its length. It is run as
`python -m pipeline.check.page.bounded`, with the request on its input and the report on its output.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import Any, NoReturn

from pipeline.check.page.expected import Expected
from pipeline.check.page.inspect import Asked, inspect
from pipeline.check.page.kinds import Kind
from pipeline.errors import PipelineError

#: Seconds of the processor, seconds on the clock, and bytes of memory for one page.
CPU_SECONDS = 30
CLOCK_SECONDS = 60.0
MEMORY = 3 << 30
#: Seconds for one pattern of Connectif's settings.
PATTERN_SECONDS = 0.5


class TooSlow(PipelineError):  # noqa: N818 - a fact
    """A page cannot be read within the bounds."""

    exit_code = 2


def inspect_bounded(body: bytes, asked: Asked, *, cpu_seconds: int = CPU_SECONDS) -> dict[str, Any]:
    """As `inspect`, whatever the page is.

    Raises:
        TooSlow: it took too long, or too much memory.
    """
    head = json.dumps({**asdict(asked), "cpu_seconds": cpu_seconds}).encode()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.check.page.bounded"],
            input=head + b"\n" + body,
            capture_output=True,
            timeout=CLOCK_SECONDS,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    except subprocess.TimeoutExpired as error:
        raise _too_slow() from error
    if done.returncode:
        raise _too_slow()
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _too_slow() -> TooSlow:
    return TooSlow(
        f"the page cannot be read within {CPU_SECONDS} s and {MEMORY >> 30} GB",
        hint="its elements are nested without end: look for tags that a loop opens and does not close",
    )


def matches(pattern: str, url: str) -> bool | None:
    """Whether a pattern finds an address; None where it is none, or takes too long. For the main thread."""
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, PATTERN_SECONDS)
    try:
        return re.search(pattern, url) is not None
    except (re.error, TimeoutError, OverflowError, RecursionError):
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _stop(*_: object) -> NoReturn:
    raise TimeoutError


def main() -> None:
    """Read the request, write the report."""
    head, _, body = sys.stdin.buffer.read().partition(b"\n")
    tree = json.loads(head)
    seconds = int(tree.pop("cpu_seconds"))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    with suppress(ValueError, OSError):  # a container may have a lower bound of its own
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kind = tree.pop("kind")
    asked = Asked(
        **{**tree, "domains": tuple(tree["domains"]), "expected": Expected(**tree["expected"])},
        kind=Kind(kind) if kind else None,
    )
    report = inspect(body, asked, matches)
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
