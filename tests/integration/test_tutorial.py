"""docs/tutorial.md, typed as it stands into one shell in a fresh clone, and README's webhook behind it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.integration.operating import free_ports

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: The ports that the tutorial has `up` use; the last one is the sandbox's.
PORTS = (8080, 8081, 8082, 8087)
SANDBOX = 9100
#: Installing, and Kafka's first start, on a machine that has other work.
SECONDS = 2_400


class Step(NamedTuple):
    """What is typed, and what has to be said after it."""

    typed: str
    said: list[str]


def steps(page: Path) -> list[Step]:
    found: list[Step] = []
    for kind, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "sh":
            found.append(Step(text, []))
        else:
            found[-1].said.extend(text.splitlines())
    return found


def script(clone: Path, first: int, sandbox: int) -> str:
    """The tutorial's blocks, numbered, and the one of README that sends a webhook."""
    readme = steps(ROOT / "README.md")
    (webhook,) = (one.typed for one in readme if "curl -i localhost:8080" in one.typed)
    blocks = [one.typed for one in steps(ROOT / "docs" / "tutorial.md")]
    blocks.insert(-1, webhook)
    lines = ["set -eu", f"cd {clone}"]
    for number, block in enumerate(blocks):
        lines += [f"printf '\\n== block {number}\\n'", block]
    text = "\n".join(lines).replace("REPOSITORY", str(ROOT))
    for port in PORTS:
        text = text.replace(str(port), str(first + port - PORTS[0]))
    text = text.replace("pipeline up --sandbox", f"pipeline up --port {first} --sandbox")
    return text.replace(str(SANDBOX), str(sandbox))


def test_a_stranger_comes_from_the_clone_to_a_watched_store(tmp_path: Path) -> None:
    first = free_ports(8)
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "VIRTUAL_ENV", "PIPELINE_CONFIG", "PIPELINE__"))
    }
    with (tmp_path / "output").open("wb") as output:
        shell = subprocess.Popen(
            ["bash", "-m", "-c", script(tmp_path, first, free_ports(1))],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,
        )
    try:
        code = shell.wait(SECONDS)
    finally:
        # What runs in the background has a group of its own, in the shell's session.
        subprocess.run(["pkill", "-KILL", "-s", str(shell.pid)], check=False)
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
    said = (tmp_path / "output").read_text(encoding="utf-8", errors="replace")
    assert code == 0, said[-4_000:]
    by_block = re.split(r"^== block \d+$", said, flags=re.MULTILINE)[1:]
    expected = steps(ROOT / "docs" / "tutorial.md")
    readme = by_block.pop(-2)
    assert re.search(r"^HTTP/1\.1 200 ", readme, re.MULTILINE), readme
    assert len(by_block) == len(expected) > 8
    for step, output_of_it in zip(expected, by_block, strict=True):
        flat = " ".join(output_of_it.split())
        for line in step.said:
            assert " ".join(line.split()) in flat, (line, step.typed, output_of_it[-2_000:])


def test_the_tutorial_names_no_port_that_up_does_not_have() -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    assert {int(port) for port in re.findall(r"\b(80\d\d|9100)\b", text)} <= {*PORTS, SANDBOX}
