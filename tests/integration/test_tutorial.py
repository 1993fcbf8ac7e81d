"""docs/tutorial.md, typed as it stands into one shell in a fresh clone, and README's commands behind it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.commands import pipeline_commands
from tests.integration.operating import free_ports

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: The ports that the tutorial has `up` use; the last one is the sandbox's.
PORTS = (8080, 8081, 8082, 8087, 8090)
SANDBOX = 9100
#: Installing, and Kafka's first start, on a machine that has other work.
SECONDS = 2_400


#: Commands of README that are not typed here, by their beginnings, and why.
NOT_TYPED = {
    "up": "it runs already, with every process below it",
    "gateway": "likewise",
    "worker": "likewise",
    "kafka": "likewise",
    "sandbox": "likewise",
    "erase serve": "likewise",
    "status serve": "likewise",
    "archive": "there is no archive in the trial: tests/integration/test_archive.py",
    "demo": "CI types `make demo`",
    "tap": "it goes on until it is stopped: tests/integration/test_status.py",
    "top": "likewise; the tutorial types `top --once`",
    "check page": "it asks a server elsewhere: tests/unit/test_check_page_command.py",
    "coupons add": "it needs codes and a set: tests/integration/test_coupons.py",
    "reconcile": "it needs a shop's export: tests/integration/test_reconcile.py",
}


def of_readme() -> list[list[str]]:
    """The commands of README that are typed, once each."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace(".venv/bin/pipeline", "pipeline")
    found = dict.fromkeys(tuple(words) for words in pipeline_commands(text))
    left_out = [tuple(words.split()) for words in NOT_TYPED]
    return [list(words) for words in found if not any(words[: len(one)] == one for one in left_out)]


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
    typed = [
        f"timeout 900 pipeline {shlex.join(words)} < /dev/null && echo '== 0' || echo \"== $?\""
        for words in of_readme()
    ]
    blocks.insert(-1, webhook + "\n" + "\n".join(typed))
    lines = ["set -eu", f"cd {clone}"]
    for number, block in enumerate(blocks):
        lines += [f"printf '\\n== block {number}\\n'", block]
    text = "\n".join(lines).replace("REPOSITORY", str(ROOT))
    for port in PORTS:
        text = text.replace(str(port), str(first + port - PORTS[0]))
    text = text.replace("pipeline up --sandbox", f"pipeline up --port {first} --sandbox")
    return text.replace(str(SANDBOX), str(sandbox))


def test_a_stranger_comes_from_the_clone_to_a_watched_store(tmp_path: Path) -> None:
    first = free_ports(PORTS[-1] - PORTS[0] + 1)
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
    assert "Traceback" not in said
    # 1 is an answer, too: there is no order 5678 and no dead letter. 2 would be a command that there is not.
    codes = [int(code) for code in re.findall(r"^== (\d+)$", readme, re.MULTILINE)]
    assert len(codes) == len(of_readme()) > 20
    assert set(codes) <= {0, 1}, readme
    assert codes.count(0) > len(codes) / 2
    assert len(by_block) == len(expected) > 8
    for step, output_of_it in zip(expected, by_block, strict=True):
        flat = " ".join(output_of_it.split())
        for line in step.said:
            assert " ".join(line.split()) in flat, (line, step.typed, output_of_it[-2_000:])


def test_the_tutorial_names_no_port_that_up_does_not_have() -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    assert {int(port) for port in re.findall(r"\b(80\d\d|9100)\b", text)} <= {*PORTS, SANDBOX}
