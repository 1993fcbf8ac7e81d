"""Connectif fails: for all, for one account, for one key."""

from __future__ import annotations

from benchmarks.gameday.incident import Incident
from benchmarks.gameday.scene import ROTATED, Scene, late_beside
from tests.proof.running import store_of

_EXPLAIN = "pipeline deliver explain --account acme-es"
_ONE = store_of("vtex")


def _revoked(scene: Scene) -> None:
    """Somebody changes the key, and the new one is wrong."""
    scene.rotate("revoked")
    scene.type("pipeline reload")


DOWN = Incident(
    name="connectif-down",
    what="Connectif answers every call with a 502 of a proxy",
    breaks=lambda scene: scene.site.connectif.faults({"effect": "bad_gateway"}),
    alert="ConnectifFails",
    page_says=r"account proof-\w+ is failing: server_error, for [\d.]+ s",
    doctor_says=r"accounts and stores: accounts in trouble: proof-\w+ \(failing: server_error\)",
    types=(_EXPLAIN,),
    subject=store_of("shopify"),
    others=lambda scene: scene.site.connectif.faults_gone(),
)

ONE_ACCOUNT = Incident(
    name="account-failing",
    what="Connectif answers 503 to one account",
    breaks=lambda scene: scene.site.connectif.faults({"effect": "error", "status": 503, "account": _ONE}),
    alert="ConnectifFails",
    labels={"account": _ONE, "cause": "server_error"},
    page_says=rf"account {_ONE} is failing: server_error, for [\d.]+ s",
    doctor_says=rf"accounts and stores: accounts in trouble: {_ONE} \(failing: server_error\)",
    types=(_EXPLAIN,),
    subject=_ONE,
    meanwhile=lambda scene: late_beside(scene, _ONE),
    others=lambda scene: scene.site.connectif.faults_gone(),
)

WRONG_KEY = Incident(
    name="wrong-key",
    what="an account's key is changed for one that Connectif does not know",
    breaks=_revoked,
    alert="AccountStopped",
    labels={"account": ROTATED, "reason": "unauthorised"},
    page_says=rf"account {ROTATED} is stopped: unauthorised",
    doctor_says=rf"accounts and stores: accounts in trouble: {ROTATED} \(stopped: unauthorised\)",
    types=(_EXPLAIN, "pipeline reload"),
    subject=ROTATED,
    meanwhile=lambda scene: late_beside(scene, ROTATED),
    others=lambda scene: scene.rotate("secret"),
)
