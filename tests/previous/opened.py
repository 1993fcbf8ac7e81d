"""An archive's data directory, and the present processes on it, until all that waited and came is told."""

from __future__ import annotations

import re
import subprocess
import tarfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tests.integration.operating import STAGES, Site
from tests.local_http import http
from tests.previous import watch
from tests.previous.history import Webhook

FAILING = {"effect": "error", "status": 503}
_CONTACT = (
    *("_name", "_surname", "_birthdate", "_mobilePhone", "_externalId"),
    *("_newsletterSubscriptionStatus", "_smsSubscriptionStatus", "_points"),
)
#: What the sandbox adds to what it was told.
_ADDED = ("id", "productId", "contactId", "triggerPurchaseEvent")
#: Series of which each says, above 0, that something on the disk or on a topic was not read as it is.
_TROUBLE = (
    "pipeline_state_rebuilt_total",
    "pipeline_state_late_writes_total",
    "pipeline_state_foreign_total",
    "pipeline_gateway_spool_damaged_total",
    "pipeline_gateway_spool_lost_total",
    "pipeline_gateway_refused_events",
    "pipeline_deliver_invalid_total",
    "pipeline_deliver_uncounted_total",
)

Ledger = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Moment:
    """The account by outcome, and what Connectif holds."""

    events: watch.Counts
    records: watch.Counts
    ledger: Ledger

    def item(self, account: str, kind: str, key: str) -> dict[str, Any]:
        """An element of an account; its body is left out once it is deleted."""
        found: dict[str, Any] = self.ledger[account][kind][key]
        return found


@dataclass(slots=True)
class Opened:
    """What was found, from moment to moment.

    Attributes:
        expected: what was written down when the archive was made.
        before: what is found on the disk before anything is started; `after` it was stopped again.
        planted: what Connectif holds at the start: all it was told before.
        started: all is translated, while Connectif still fails.
        told: what waited is told.
        repeated: old webhooks came again.
        changed: old orders changed.
        trouble: metrics that are above 0 and should not be.
        errors: lines of error that the processes wrote.
    """

    expected: dict[str, Any]
    before: set[str]
    planted: Ledger
    started: Moment
    told: Moment
    repeated: Moment
    changed: Moment
    trouble: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    after: set[str] = field(default_factory=set)


def run(archive: Path, directory: Path) -> Opened:
    """Open the archive in an empty directory and go through everything."""
    with tarfile.open(archive) as packed:
        packed.extractall(directory, filter="data")
    expected = orjson.loads((directory / "expected.json").read_bytes())
    before = layout(directory / "data")
    site = Site(directory, tomllib.loads((directory / "settings.toml").read_text(encoding="utf-8")))
    try:
        for account in watch.ACCOUNTS:
            _plant(site, account, expected["ledger"][account])
        site.connectif.faults(FAILING)
        planted = watch.ledger(site)
        site.start()
        posted = expected["posted"] + len(expected["spooled"])
        started = _moment(site, posted, pending=True)
        site.connectif.faults_gone()
        told = _moment(site, posted)
        repeated = _moment(site, posted := posted + _post(site, expected["again"]))
        changed = _moment(site, posted + _post(site, expected["changed"]))
        trouble, errors = _trouble(site), _errors(site)
    finally:
        site.stop()
    found = Opened(expected, before, planted, started, told, repeated, changed, trouble, errors)
    found.after = layout(directory / "data")
    return found


def layout(data: Path) -> set[str]:
    """Every directory there is, topics' and stores' among them, and each file that is not inside of those.

    Left out is what comes and goes: logs, locks' owners, what Kafka unpacks, and events on their way.
    """
    argv = ["find", str(data), "-printf", "%y %P\n"]
    found = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    passing = re.compile(
        r". (logs(/.*)?|kafka/broker-\d+/tmp(/.*)?|kafka/bootstrap|.*\.spool|.*/position)|d "
    )
    inside = re.compile(r"f (kafka/|.*\.db/).*")
    return {line for line in found if not passing.fullmatch(line) and not inside.fullmatch(line)}


def _plant(site: Site, account: str, held: dict[str, dict[str, Any]]) -> None:
    """Give the sandbox what it held when the archive was made."""
    bodies = {
        kind: {key: item["body"] for key, item in items.items() if not item["deleted"]}
        for kind, items in held.items()
    }
    seed = {
        "account": account,
        "contacts": {
            key: {name: body[name] for name in _CONTACT if body.get(name) is not None}
            for key, body in bodies["contacts"].items()
        },
        "products": {key: _plain(body) for key, body in bodies["products"].items()},
    }
    url, key = site.connectif.url, {"Authorization": f"apiKey {account}:secret"}
    answer = http.post(f"{url}/_sandbox/seed", json=seed, timeout=30)
    assert answer.is_success, answer.text
    for body in bodies["purchases"].values():
        answer = http.post(f"{url}/purchases/", json=_plain(body), headers=key, timeout=30)
        assert answer.status_code == 201, answer.text


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in _ADDED and value is not None}


def _post(site: Site, webhooks: list[list[Any]]) -> int:
    for path, headers, body in webhooks:
        assert Webhook(path, headers, body).post(site) == 200
    return len(webhooks)


def _moment(site: Site, posted: int, *, pending: bool = False) -> Moment:
    watch.wait_for(site, posted, pending=pending)
    account = watch.account(site)
    return Moment(account["events"], account["records"], watch.ledger(site))


def _trouble(site: Site) -> list[str]:
    return [
        f"{stage}: {sample.name}{sample.labels} = {sample.value:g}"
        for stage in STAGES
        for sample in watch.samples(site, stage)
        if sample.name in _TROUBLE and sample.value
    ]


def _errors(site: Site) -> list[str]:
    """What the processes wrote as errors; they are told to log in JSON."""
    lines = [line for stage in (*STAGES, "up") for line in site.log(stage).splitlines()]
    return [line for line in lines if orjson.loads(line)["level"] in {"ERROR", "CRITICAL"}]
