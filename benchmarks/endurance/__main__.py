"""An hour of kills, or an hour without Kafka, while shops sell; nothing may be lost, and nothing doubled.

    python -m benchmarks.endurance kills [--kills 1000] [--minutes 60] [--rate 8] [--seed 1]
    python -m benchmarks.endurance no-kafka [--minutes 60] [--rate 20] [--seed 1]
    python -m benchmarks.endurance storms [--first 11650] [--last 18999]

All of `pipeline up` runs as a user has it, with the embedded broker and the sandbox, whose ledger is
compared in the end with what the shops said. `kills` ends gateway, workers and broker by `kill -9`, in an
order and at moments of chance; only the supervisor's waits are shorter, as it would wait up to 15 s before it
starts again what died every few seconds. `no-kafka` takes the broker away, and kills the gateway meanwhile.
`storms` runs fault scenarios (tests/simulation) with seeds that no test has, and goes on where its log ends.
A line of progress every half minute goes to --log, too. Exit code 1 where anything differs; logs and data
stay then.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.endurance import kills, no_kafka, storms
from benchmarks.endurance.stand import Course, Progress
from benchmarks.harness import machine


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    chosen = parser.add_subparsers(dest="run", required=True)
    storm = chosen.add_parser("storms")
    storm.add_argument("--first", type=int, default=11_650)
    storm.add_argument("--last", type=int, default=18_999)
    storm.add_argument("--log", type=Path, default=Path(tempfile.gettempdir()) / "endurance-storms.log")
    for name, rate in (("kills", 8.0), ("no-kafka", 20.0)):
        one = chosen.add_parser(name)
        one.add_argument("--minutes", type=float, default=60)
        one.add_argument("--rate", type=float, default=rate, help="webhooks a second")
        one.add_argument("--seed", type=int, default=1)
        one.add_argument("--log", type=Path, default=Path(tempfile.gettempdir()) / f"endurance-{name}.log")
        one.add_argument("--keep", action="store_true", help="keep logs and data")
        if name == "kills":
            one.add_argument("--kills", type=int, default=1_000)
    return parser.parse_args()


def main() -> int:
    """Run and print."""
    options = _options()
    if options.run == "storms":
        return storms.run(options.first, options.last, options.log)
    for name in [name for name in os.environ if name.startswith("PIPELINE_")]:
        del os.environ[name]  # the caller's settings are for the caller's own pipeline
    directory = Path(tempfile.mkdtemp(prefix="pipeline-endurance-"))
    progress = Progress(options.log)
    progress.say(f"{machine()}; logs and data: {directory}")
    good = False
    course = Course(options.minutes, options.rate, options.seed)
    try:
        if options.run == "kills":
            code = asyncio.run(kills.run(directory, options.kills, course, progress))
        else:
            code = asyncio.run(no_kafka.run(directory, course, progress))
        good = code == 0
    finally:
        if good and not options.keep:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            progress.say(f"logs and data stay in {directory}")
    return code


if __name__ == "__main__":
    sys.exit(main())
