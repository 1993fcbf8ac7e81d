#!/usr/bin/env python3
"""The Makefile's targets for machines without make: `python3 make.py demo`.

Needs nothing but Python 3.11: it makes `.venv`, installs the project with the pinned versions of
`constraints.txt`, and runs the step. CI and the Makefile call this file, so all three do the same.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = Path(os.environ.get("PIPELINE_VENV", ROOT / ".venv"))
BIN = VENV / "bin"

#: A file is run by one process, with its broker. How many there are, and in which order: tests/parallel.py.
IN_PARALLEL = ["-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder"]

STEPS: dict[str, list[list[str]]] = {
    "setup": [],
    "demo": [["pipeline", "demo"]],
    "test": [["python", "-m", "pytest", "-m", "not slow", *IN_PARALLEL]],
    "lint": [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports"],
    ],
    "format": [["ruff", "check", "--fix", "."], ["ruff", "format", "."]],
    "schemas": [
        ["pipeline", "schemas"],
        ["pipeline", "platforms", "--write"],
        ["pipeline", "metrics", "--write"],
        ["pipeline", "settings", "--write", "pipeline.example.toml", "--force"],
        ["python", "-m", "grafana.source"],
        ["python", "-m", "deploy.rules"],
        ["python", "-m", "documentation"],
    ],
    # The documentation as a site, in `site`; every warning is an error.
    "docs": [["mkdocs", "build", "--strict"]],
    # Each reader of bytes from outside in turn, ten minutes each: docs/security.md.
    "fuzz": [["python", "-m", "tests.fuzz.run"]],
    "nightly": [["python", "-m", "pytest"]],
    # One thing after another breaks, and is mended as docs/runbooks say: docs/gameday.md.
    "gameday": [["python", "-m", "benchmarks.gameday"]],
}


class Failed(Exception):  # noqa: N818 - an outcome
    """What is to be said instead of a traceback."""


def install() -> None:
    """Make or refresh the virtual environment; a stamp of the inputs saves the second run."""
    inputs = (ROOT / "pyproject.toml", ROOT / "constraints.txt")
    stamp = VENV / ".installed"
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print(f"Installing into {VENV} (once; about a minute) ...", flush=True)
    try:
        venv.create(VENV, with_pip=True)
    except subprocess.CalledProcessError as error:
        raise Failed(f"Python cannot make {VENV}: {error}. On Debian: apt install python3-venv") from error
    pip = [str(BIN / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "install", "-c", str(inputs[1]), "-e", f"{ROOT}[local,dev]"], check=False)
    if done.returncode:
        raise Failed(
            "The packages could not be installed; pip said why. The first time needs a network (HTTPS_PROXY "
            "where that has a proxy), or a mirror in PIP_INDEX_URL. Then run this again."
        )
    stamp.write_text(wanted)


def run(name: str, extra: list[str]) -> int:
    """Run a step in the environment, made before; returns the first exit code that is not 0."""
    install()
    # Tests start hundreds of processes, of which each would compile the program anew, for up to a second.
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    for step in STEPS[name]:
        command = [str(BIN / step[0]), *step[1:], *extra]
        code = subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode
        if code:
            return code
    return 0


def main() -> int:
    """Run the step that the command line names; returns the exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the message is for whoever has an older one
        print("Python 3.11 or newer is needed; this is " + sys.version.split()[0], file=sys.stderr)
        return 2
    name, extra = (sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:]
    if name not in STEPS:
        print("usage: python3 make.py [" + "|".join(STEPS) + "]", file=sys.stderr)
        return 2
    try:
        return run(name, extra)
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"{error.filename or VENV} cannot be used: {error.strerror}. "
            "To put the environment elsewhere, name a directory in PIPELINE_VENV.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
