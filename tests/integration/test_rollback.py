"""Up to the present code on a data directory of the release before, back to that release, and up again."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.operating import STAGES, Site
from tests.previous import history, watch
from tests.previous.history import Webhook
from tests.previous.make import SETTINGS
from tests.previous.opened import FAILING
from tests.processes import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
#: 0.2.0 by its commit, as copies without tags have it, too; and what its `pipeline up` runs.
RELEASE = "4733a0a744d215676cfa77e5ba97b0cc1dc283b9"
ITS_STAGES = ("gateway", "translate", "deliver")
#: The turn that goes back.
BACK = 2
#: A start, and what waited, on a machine that has other work.
SECONDS = 240.0


@pytest.fixture(name="released")
def _released(tmp_path: Path) -> Path:
    """The code of the release before."""
    argv = ["git", "-C", str(ROOT), "archive", RELEASE, "pipeline"]
    done = subprocess.run(argv, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"this copy of the repository has no {RELEASE}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as packed:
        packed.extractall(tmp_path / "released", filter="data")
    return tmp_path / "released"


class Upgrades:
    """One data directory, run by one version after the other."""

    def __init__(self, directory: Path, released: Path) -> None:
        directory.mkdir()
        self.site = Site(directory, SETTINGS)
        self._urls = dict(self.site.urls)
        self._released = released
        self.posted = 0

    def run(self, patch: pytest.MonkeyPatch, *, present: bool) -> None:
        """Start a version's processes."""
        patch.chdir(ROOT if present else self._released)
        patch.setenv("PYTHONPATH", str(ROOT if present else self._released))
        stages = STAGES if present else ITS_STAGES
        self.site.urls = {stage: self._urls[stage] for stage in stages}
        if not present:  # its one port was for operators, too
            self.site.urls["gateway"] = self.site.gateway
        self.site.start(within=SECONDS)

    def post(self, *webhooks: Webhook) -> None:
        """Say something, all of which is taken."""
        for webhook in webhooks:
            assert webhook.post(self.site) == 200
        self.posted += len(webhooks)

    def say(self, *webhooks: Webhook, waits: Mapping[str, int] | None = None) -> None:
        """Say something, and wait until it is told, and no record waits but these."""
        self.post(*webhooks)
        watch.wait_for(self.site, self.posted, pending=True, seconds=SECONDS)
        wait_until(lambda: self._waiting() == Counter(waits or {}), SECONDS, every=0.5)

    def _waiting(self) -> Counter[str]:
        records = watch.account(self.site)["records"]
        return Counter({row: count for row, count in records.items() if row.endswith(" pending")})

    def stop(self) -> None:
        """End the processes in order; Connectif goes on."""
        up = self.site._up
        assert up is not None
        up.terminate()
        assert up.wait(SECONDS) == 0
        self.site._up = None


def test_up_and_back_and_up_again_tells_everything_once(
    tmp_path: Path, released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Upgrades(tmp_path / "site", released)
    site = made.site
    changed: Counter[str] = Counter()
    try:
        for turn, present in enumerate((False, True, False, True)):
            made.run(monkeypatch, present=present)
            site.connectif.faults_gone()
            first = 100 * turn
            # What the release before cannot read waits: the contact of woo's order, and with it the purchase.
            waits = (
                {"woo woo-fr contact pending": 1, "woo woo-fr purchase pending": 1} if turn == BACK else {}
            )
            made.say(history.order(first + 1), history.order(first + 2), history.woo(first + 1), waits=waits)
            if turn:
                earlier = first - 100 + 1
                # Repeats of what the other version was told are repeats, and a change is a correction.
                again = (history.order(earlier), history.woo(earlier), history.order_changed(earlier))
                made.say(*again, waits=waits)
                changed[str(earlier)] += 1
            accounts = watch.account(site)
            assert watch.unbalanced(accounts["records"]) == []
            assert watch.outcome(accounts["records"], "dead") == 0
            assert watch.outcome(accounts["events"], "duplicate") == 2 * turn
            site.connectif.faults(FAILING)
            late = [history.woo(first + 3)] if turn + 1 == BACK else [history.order(first + 3)]
            made.post(*late)
            watch.wait_for(site, made.posted, pending=True, seconds=SECONDS)
            made.stop()
        made.run(monkeypatch, present=True)
        site.connectif.faults_gone()
        made.say()
        held = watch.ledger(site)
    finally:
        site.stop()
    orders = {str(100 * turn + number) for turn in range(4) for number in (1, 2, 3)} - {"103"}
    assert {key: item["creates"] for key, item in held["acme"]["purchases"].items()} == {
        key: 1 + changed[key] for key in orders
    }
    woo = {str(100 * turn + 1) for turn in range(4)} | {"103"}
    assert {key: item["creates"] for key, item in held["woo"]["purchases"].items()} == dict.fromkeys(woo, 1)
    assert not any(item["deleted"] for item in held["acme"]["purchases"].values())
