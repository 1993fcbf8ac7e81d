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
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")

STEPS: dict[str, list[list[str]]] = {
    "setup": [],
    "demo": [["pipeline", "demo"]],
    "test": [["python", "-m", "pytest", "-m", "not slow"]],
    "lint": [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports"],
    ],
    "format": [["ruff", "check", "--fix", "."], ["ruff", "format", "."]],
    "schemas": [["pipeline", "schemas"]],
    "nightly": [["python", "-m", "pytest"]],
}


def install() -> None:
    """Make or refresh the virtual environment; a stamp of the inputs saves the second run."""
    inputs = (ROOT / "pyproject.toml", ROOT / "constraints.txt")
    stamp = VENV / ".installed"
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print(f"Installing into {VENV} (once; about a minute) ...", flush=True)
    venv.create(VENV, with_pip=True)
    pip = [str(BIN / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-c", str(inputs[1]), "-e", f"{ROOT}[local,dev]"], check=True)
    stamp.write_text(wanted)


def main() -> int:
    """Run the named step in the environment; returns the first exit code that is not 0."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the message is for whoever has an older one
        print("Python 3.11 or newer is needed; this is " + sys.version.split()[0], file=sys.stderr)
        return 2
    name, extra = (sys.argv[1] if len(sys.argv) > 1 else ""), sys.argv[2:]
    if name not in STEPS:
        print("usage: python3 make.py [" + "|".join(STEPS) + "]", file=sys.stderr)
        return 2
    install()
    for step in STEPS[name]:
        command = [str(BIN / step[0]), *step[1:], *extra]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
