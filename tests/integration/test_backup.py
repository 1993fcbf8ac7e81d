"""docs/production/backup.md: a stopped machine's directory, copied elsewhere, is gone on with there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.operating import Site
from tests.previous import history, watch
from tests.previous.make import SETTINGS
from tests.previous.opened import FAILING

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def stop(site: Site) -> None:
    """End the processes in order; Connectif goes on."""
    assert site._up is not None
    site._up.terminate()
    assert site._up.wait(120) == 0
    site._up = None


def test_a_restored_copy_tells_what_waited_once_and_knows_what_was_told(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    site = Site(tmp_path / "site", SETTINGS)
    try:
        site.start(within=240)
        told = [history.order(1), history.order(2), history.woo(1)]
        for webhook in told:
            assert webhook.post(site) == 200
        watch.wait_for(site, len(told), pending=False, seconds=240)
        site.connectif.faults(FAILING)
        waits = [history.order(3), history.woo(3)]
        for webhook in waits:
            assert webhook.post(site) == 200
        watch.wait_for(site, len(told + waits), pending=True, seconds=240)
        before = watch.ledger(site)
        stop(site)
        # As the page has it: the whole directory, holes kept, and put down at another place.
        tar, other = tmp_path / "backup.tar", tmp_path / "elsewhere"
        other.mkdir()
        words = ["tar", "--create", "--sparse", "--file", str(tar), "--directory", str(tmp_path / "site")]
        subprocess.run([*words, "data"], check=True)
        subprocess.run(["tar", "--extract", "--file", str(tar), "--directory", str(other)], check=True)
        site.tree["data_dir"] = str(other / "data")
        site.write()
        site.connectif.faults_gone()
        site.start(within=240)
        again = [history.order(1), history.woo(3), history.order_changed(2)]
        for webhook in again:
            assert webhook.post(site) == 200
        watch.wait_for(site, len(told + waits + again), pending=False, seconds=240)
        accounts, held = watch.account(site), watch.ledger(site)
    finally:
        site.stop()
    assert watch.outcome(accounts["events"], "duplicate") == 2
    assert watch.outcome(accounts["records"], "dead") == 0
    assert watch.unbalanced(accounts["records"]) == []
    creates = {
        account: {key: item["creates"] for key, item in held[account]["purchases"].items()}
        for account in watch.ACCOUNTS
    }
    assert creates == {"acme": {"1": 1, "2": 2, "3": 1}, "woo": {"1": 1, "3": 1}}
    assert held["acme"]["purchases"]["1"] == before["acme"]["purchases"]["1"]
