"""Make `deploy/locks`, what the image installs, from pyproject.toml and constraints.txt.

`python -m deploy.lock`. An entry there is a version and the digests of its files, so that an image that is
built again has the same bytes of every package, or is not built. Needs uv (`pip install uv`) and a network.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "deploy" / "locks"
#: What builds the project's own wheel, what every process needs, and the extras that an image may have.
BUILD, PLAIN, EXTRAS = "build", "plain", ("archive", "otel", "sandbox", "status")
_HEAD = "# Made by `python -m deploy.lock`: {what}.\n"
_ENTRY = re.compile(r"^(\S+)==.*(?:\n    .*)*\n", re.MULTILINE)


def compiled(*words: str, given: str | None = None) -> dict[str, str]:
    """What uv resolves, by the packages' names: each with its digests."""
    command = ["uv", "pip", "compile", "-c", str(ROOT / "constraints.txt"), "--universal", "--quiet", *words]
    options = ["--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-header"]
    done = subprocess.run(
        [*command, *options], input=given, capture_output=True, text=True, check=True, cwd=ROOT
    )
    return {found[1]: found[0] for found in _ENTRY.finditer(done.stdout)}


def write(name: str, what: str, entries: dict[str, str]) -> None:
    """Write one lock."""
    text = _HEAD.format(what=what) + "".join(entries[key] for key in sorted(entries))
    (LOCKS / f"{name}.txt").write_text(text, encoding="utf-8")


def main() -> None:
    """Write all locks."""
    plain = compiled("pyproject.toml")
    write(PLAIN, "what every process needs", plain)
    for extra in EXTRAS:
        found = compiled("pyproject.toml", "--extra", extra)
        beside = {name: entry for name, entry in found.items() if name not in plain}
        write(extra, f"what the extra `{extra}` needs beside `plain.txt`", beside)
    build = compiled("-", given="hatchling>=1.25\n")
    write(BUILD, "what builds the wheel of this project", build)


if __name__ == "__main__":
    main()
