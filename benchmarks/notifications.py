"""From a webhook that only names an order to its purchase in Connectif: `python -m benchmarks.notifications`.

All of `pipeline up` on the embedded Kafka, a simulated shop and a Connectif whose minute is a second.
`--rate` orders a second are notified of for `--seconds`, each of a person and a product of its own.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.arguments import argument_parser
from pipeline.local.broker import EmbeddedKafka
from tests.integration.notifying import VTEX, NotifyingShop
from tests.integration.operating import Site
from tests.integration.test_sync import sale
from tests.processes import wait_until

STORE = "acme-br"
PATIENCE = 300.0


def main() -> None:
    """Print the figures."""
    parser = argument_parser(__doc__)
    parser.add_argument("--rate", type=float, default=5.0, help="orders a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        with EmbeddedKafka(place / "broker") as broker:
            site = Site(place, {"kafka": {"bootstrap": broker.bootstrap}}, _stores)
            try:
                site.start()
                _measure(site, options.rate, options.seconds)
            finally:
                site.stop()


def _stores(url: str) -> dict[str, Any]:
    return {STORE: VTEX.settings_of(STORE, url)}


def _measure(site: Site, rate: float, seconds: float) -> None:
    shop, sent, count = NotifyingShop(site, STORE, VTEX), dict[str, float](), int(rate * seconds)
    for number in range(count):
        shop.holds(sale(number))
    began = time.time()
    for number in range(count):
        time.sleep(max(0.0, began + number / rate - time.time()))
        sent[sale(number).id] = time.time()
        shop.notifies(sale(number))
    wait_until(lambda: len(shop.purchases()) >= count, PATIENCE, every=1.0)
    made = {key: datetime.fromisoformat(item["createdAt"]) for key, item in shop.purchases().items()}
    cuts = statistics.quantiles((made[key].timestamp() - at for key, at in sent.items()), n=100)
    print(f"{count:,} notifications, {rate:g} a second; load {os.getloadavg()[0]:.1f}")
    print(f"webhook -> purchase: p50 {cuts[49]:.2f} s, p95 {cuts[94]:.2f} s, p99 {cuts[98]:.2f} s")


if __name__ == "__main__":
    main()
