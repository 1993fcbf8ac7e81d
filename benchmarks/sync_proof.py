"""Pull synchronisation as a whole: everything, a day of webhooks with some lost, the daily pull, and kills.

    nice python -m benchmarks.sync_proof shopify [--contacts 50000] [--products 5000] [--orders 20000]
        [--share 0.05] [--lost 0.03] [--kills 3] [--calls 200] [--seed 1]

One platform at a time, with real processes and the embedded broker; Connectif and the shop are the sandbox,
whose limits are far above the real ones, so that this ends. The least calls to Connectif are one for each
purchase that is made, taken back or replaced (two), and a file and a look for contacts and for products; the
least requests to the shop are the pages of its lists, and what each row must be asked beside. Exit code 1
where Connectif does not hold exactly what the shop has.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.arguments import argument_parser
from benchmarks.harness import broker, machine, report
from tests.integration.operating import Site
from tests.proof import running
from tests.proof.platforms import PROVED
from tests.proof.proof import Proof
from tests.proof.truth import Size


def prove(directory: Path, bootstrap: str, options: argparse.Namespace) -> bool:
    """Go through it; returns whether all agreed."""
    base = {
        "kafka": {"bootstrap": bootstrap, "topic_prefix": f"proof{time.time_ns()}-"},
        "sandbox": {"switches": {"import_rows_per_second": 100_000}, "calls_kept": 1_000},
    }
    site = Site(directory, base, lambda url: running.stores([options.platform], url), calls=options.calls)
    try:
        site.start()
        size = Size(options.contacts, options.products, options.orders)
        with closing(
            Proof(site, [options.platform], size, seed=options.seed, patience=options.patience, say=say)
        ) as proof:
            return gone_through(proof, site, options)
    finally:
        site.stop()


def gone_through(proof: Proof, site: Site, options: argparse.Namespace) -> bool:
    """All phases, with what differs after each."""
    good = True
    proof.first_sync(options.kills)
    good &= agrees(proof)
    proof.a_day(options.share, options.lost)
    proof.daily_pull(options.kills)
    good &= agrees(proof)
    runs = proof.second_pull()
    told = sum(one["sent"] for run in runs for one in run["passes"])
    dead, unbalanced = site.dead(), list(site.totals().unbalanced(repeats=True))
    say(f"told again by a second pull: {told}; dead letters: {len(dead)}; accounts off: {unbalanced}")
    size = Size(options.contacts, options.products, options.orders)
    say(f"least requests to read the shop: {PROVED[options.platform].fewest_requests(size):,}")
    report([row(one) for one in proof.phases])
    return good and not told and not dead and not unbalanced


def agrees(proof: Proof) -> bool:
    """Whether Connectif holds the shop's truth; what differs is told."""
    found = proof.lasting_differences()
    for platform, kinds in found.items():
        for kind, differing in kinds.items():
            say(f"{platform}: {len(differing)} {kind} differ, such as {list(differing.items())[:5]}")
    if not found:
        say("Connectif holds exactly what the shop has")
    return not found


def row(phase: Any) -> dict[str, object]:
    """A phase as a row of the table."""
    return {
        "phase": phase.name,
        "s": round(phase.seconds),
        "requests to the shop": sum(phase.asked.values()),
        "calls to Connectif": sum(phase.calls.values()),
        "at least": phase.fewest_calls,
        "kills": phase.kills,
    }


def say(text: str) -> None:
    """With the time."""
    print(time.strftime("%H:%M:%S"), text, flush=True)


def main() -> int:
    """Prove and print."""
    parser = argument_parser(__doc__)
    parser.add_argument("platform", choices=list(PROVED))
    for name, default in {"contacts": 50_000, "products": 5_000, "orders": 20_000, "kills": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in {"seed": 1, "calls": 200, "patience": 3_600}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, part in {"share": 0.05, "lost": 0.03}.items():
        parser.add_argument(f"--{name}", type=float, default=part)
    options = parser.parse_args()
    print(machine(), f"process {os.getpid()}", flush=True)
    with tempfile.TemporaryDirectory() as name, broker(Path(name) / "kafka") as bootstrap:
        directory = Path(name) / "site"
        directory.mkdir()
        return 0 if prove(directory, bootstrap, options) else 1


if __name__ == "__main__":
    sys.exit(main())
