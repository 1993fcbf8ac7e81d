"""`python -m tests.fuzz.run [--minutes 10] [--engine hypothesis|atheris] [target ...]`: every reader in turn.

Hypothesis changes seeds, and makes an input that fails smaller; atheris, where it is installed, follows the
lines that an input reaches. An input that fails is left in `--found`, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.mutating import mutated

#: Inputs that Hypothesis makes in one go, between two looks at the clock; fewer where there are only seconds.
_ROUND, _SHORT_ROUND, _SHORT = 200, 40, 30.0


class Outcome(NamedTuple):
    """What came of a target.

    Attributes:
        inputs: that were read.
        seconds: on the clock.
        cpu: seconds of the processor.
        failed: the smallest input that failed, and its traceback; None where none did.
    """

    inputs: int
    seconds: float
    cpu: float
    failed: tuple[bytes, str] | None = None


def every_target() -> dict[str, tuple[list[bytes], Callable[[bytes], None]]]:
    """By name: seeds, and what reads bytes and raises nothing but for a fault."""
    from tests.fuzz import bodies, files, gateway  # noqa: PLC0415 - atheris instruments what is imported

    return {**gateway.targets(), **bodies.targets(), **files.targets()}


def fuzz(seeds: list[bytes], read: Callable[[bytes], None], seconds: float, most: int = 10**9) -> Outcome:
    """Read inputs for so long, or until one fails."""
    began, cpu, count, round_number = time.monotonic(), time.process_time(), 0, 0
    last = b""
    while time.monotonic() - began < seconds and count < most:
        round_number += 1

        @hypothesis.seed(time.time_ns())
        @settings(
            max_examples=min(_SHORT_ROUND if seconds < _SHORT else _ROUND, most),
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(mutated(seeds))
        def one(data: bytes) -> None:
            nonlocal count, last
            count, last = count + 1, data
            if time.monotonic() - began < seconds + 60:
                read(data)

        try:
            one()
        except Exception:  # noqa: BLE001 - whatever it is, it is the finding
            return Outcome(
                count, time.monotonic() - began, time.process_time() - cpu, (last, traceback.format_exc())
            )
    return Outcome(count, time.monotonic() - began, time.process_time() - cpu)


def by_atheris(name: str, seconds: float, found: Path) -> int:
    """One target under libFuzzer, in this process, which it ends."""
    import atheris  # noqa: PLC0415 - where it installs

    with atheris.instrument_imports(include=["pipeline"]):
        seeds, read = every_target()[name]
    corpus = found / f"corpus-{name}"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    atheris.Setup(
        [
            "fuzz",
            f"-max_total_time={int(seconds)}",
            f"-artifact_prefix={found}/{name}-",
            "-max_len=65536",
            "-timeout=30",
            "-print_final_stats=1",
            str(corpus),
        ],
        lambda data: read(bytes(data)),
    )
    atheris.Fuzz()
    return 0


def main() -> int:
    """Run what the command line names."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("targets", nargs="*")
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--engine", choices=["hypothesis", "atheris"], default="hypothesis")
    options.add_argument("--found", type=Path, default=Path(".fuzz"))
    asked = options.parse_args()
    logging.disable(logging.CRITICAL)
    if asked.engine == "atheris" and len(asked.targets) == 1:
        return by_atheris(asked.targets[0], asked.minutes * 60, asked.found)
    known = every_target()
    names = asked.targets or list(known)
    if unknown := [name for name in names if name not in known]:
        options.error(f"no target {unknown[0]}; there are: {', '.join(known)}")
    asked.found.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in names:
        if asked.engine == "atheris":
            command = [
                sys.executable,
                "-m",
                "tests.fuzz.run",
                "--engine",
                "atheris",
                "--minutes",
                str(asked.minutes),
            ]
            done = subprocess.run([*command, "--found", str(asked.found), name], check=False)
            failed += done.returncode != 0
            continue
        outcome = fuzz(*known[name], asked.minutes * 60)
        print(  # noqa: T201 - a command
            f"{name:20} {outcome.inputs:>9,} inputs {outcome.seconds:6.0f} s "
            f"{outcome.cpu:6.1f} s of the processor  {'FAILED' if outcome.failed else 'nothing found'}",
            flush=True,
        )
        if outcome.failed:
            failed += 1
            data, said = outcome.failed
            (asked.found / f"{name}.input").write_bytes(data)
            print(said, flush=True)  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
