"""Run the scenarios and print their tables."""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

import benchmarks.budget
from benchmarks.arguments import argument_parser
from benchmarks.budget.scenarios import ALIGNED, FIRST_CALL, SLIDING, WINDOWS, Job, Row, perform
from benchmarks.harness import machine

BASELINES = ("token bucket", "one by one")
#: Live orders a minute.
RATES = (5, 20, 35)


def jobs(options: argparse.Namespace) -> Mapping[str, list[Job]]:
    """The jobs of each scenario asked for."""
    found = {"backlog": _backlogs(options), "live": _lives(options), "day": _days(options)}
    found["consent"] = _consents(options)
    return {name: [job for job in found[name] if job.program in options.programs] for name in options.what}


def _backlogs(options: argparse.Namespace) -> list[Job]:
    found = [
        Job("backlog", "pipeline", window, options.seed, {"orders": options.backlog, "lane": lane})
        for lane in ("live", "backfill")
        for window in WINDOWS
    ]
    given = {"orders": options.backlog, "lane": "live"}
    return found + [Job("backlog", program, FIRST_CALL, options.seed, given) for program in BASELINES]


def _lives(options: argparse.Namespace) -> list[Job]:
    hours = options.hours
    # As many as the whole limit takes in that time, so that they never run out.
    beside = int(hours * 60 * 100)
    found = [
        Job(
            "live",
            "pipeline",
            window,
            options.seed,
            {"per_minute": rate, "hours": hours, "backfill": backfill},
        )
        for rate in RATES
        for window in (FIRST_CALL, SLIDING)
        for backfill in (0, beside)
    ]
    given = {"per_minute": RATES[0], "hours": hours}
    return found + [
        Job("live", program, FIRST_CALL, options.seed, {**given, "backfill": backfill})
        for program in BASELINES
        for backfill in (0, beside)
    ]


def _consents(options: argparse.Namespace) -> list[Job]:
    ways = {"by an export": 600.0, "one by one": 0.0}
    return [
        Job(
            "consent",
            "pipeline",
            SLIDING,
            options.seed,
            {"customers": options.customers, "consent_fresh": fresh, "asked": asked},
        )
        for asked, fresh in ways.items()
    ]


def _days(options: argparse.Namespace) -> list[Job]:
    kinds = (FIRST_CALL, SLIDING, ALIGNED)
    return [
        Job("day", "pipeline", kinds[number % 3], options.seed + number, {"orders": options.orders})
        for number in range(options.accounts)
    ]


def run(work: Sequence[Job], processes: int) -> Iterator[Row]:
    """Run the jobs side by side; a process each, so that none inherits another's memory."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, max_tasks_per_child=1) as pool:
        yield from pool.map(perform, work)


def main() -> None:
    """Measure and print."""
    parser = argument_parser(benchmarks.budget.__doc__)
    scenarios, programs = ("backlog", "live", "day", "consent"), ("pipeline", *BASELINES)
    parser.add_argument("what", nargs="*", default=scenarios, metavar="|".join(scenarios))
    parser.add_argument("--programs", nargs="+", default=programs, choices=programs)
    parser.add_argument("--accounts", type=int, default=10, help="of the sale day")
    parser.add_argument("--orders", type=int, default=30_000, help="of each account's sale day")
    parser.add_argument("--backlog", type=int, default=10_000, help="orders that wait at once")
    parser.add_argument("--customers", type=int, default=50_000, help="of a backfill's consent")
    parser.add_argument("--hours", type=float, default=3.0, help="of live orders")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if unknown := set(options.what) - set(scenarios):
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}")
    print(machine(), flush=True)
    for name, work in jobs(options).items():
        begun, calls = time.perf_counter(), 0
        print(f"\n## {name}\n")
        for number, row in enumerate(run(work, options.processes)):
            if not number:
                print(_line(row), _line("---" for _ in row), sep="\n")
            print(_line(row.values()), flush=True)
            calls += int(str(row["calls"]))
        took = time.perf_counter() - begun
        print(f"\n{calls} calls in {took:.0f} s: {calls / took:.0f} calls/s", flush=True)


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


if __name__ == "__main__":
    main()
