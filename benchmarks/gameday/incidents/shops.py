"""A shop's API fails, its clock is off, one of its messages cannot be read, and it falls silent."""

from __future__ import annotations

from benchmarks.gameday.incident import Incident
from benchmarks.gameday.scene import Scene
from tests.proof.running import store_of

_THIN, _CUSTOM, _CUT, _WOO = (store_of(name) for name in ("vtex", "generic", "shopify", "woocommerce"))
#: Seconds until a sync reads what happens now, on these platforms; the runbook has five minutes for all.
LAG = 75.0
#: Seconds ahead: far beyond what a signature may be old or early.
OFF = 7_200.0


def _clock(scene: Scene, ahead: float) -> None:
    scene.shop("generic").ahead = ahead


def _poison(scene: Scene) -> None:
    assert scene.shop("shopify").sends_half() == 200, "a body is read later than it is kept"


API_FAILS = Incident(
    name="shop-api-failing",
    what="a shop's API answers 500, and its webhooks only name orders",
    breaks=lambda scene: scene.shop("vtex").shop.fault(kind="server_error"),
    alert="ShopApiStopped",
    labels={"store": _THIN, "reason": "server_error"},
    page_says=rf"store {_THIN} is stopped: its API cannot be asked: server_error",
    doctor_says=rf"accounts and stores: stores in trouble: {_THIN} \(stopped: .*server_error\)",
    types=("grep -E 'cannot be asked now|answers again' DATA_DIR/logs/sync.log | tail",),
    subject=_THIN,
    others=lambda scene: scene.shop("vtex").shop.faults_gone(),
)

CLOCK_OFF = Incident(
    name="clock-off",
    what="the clock of a custom shop, which signs its times, is two hours ahead",
    breaks=lambda scene: _clock(scene, OFF),
    alert="WrongSecret",
    labels={"store": _CUSTOM},
    rests=False,
    page_says=rf"{_CUSTOM} fine {_CUSTOM} (?:[12]\d|[5-9]\.\d) s ago",
    top_says=rf"{_CUSTOM} fine \d+ s ago",
    types=("pipeline sync acme-es --since 24h",),
    waits=LAG,
    subject=_CUSTOM,
    others=lambda scene: _clock(scene, 0.0),
)

POISON = Incident(
    name="poison-message",
    what="a shop signs and sends half an order",
    breaks=_poison,
    alert="EventsRejected",
    labels={"store": _CUT},
    rests=False,
    place=f"/account/{_CUT}",
    page_says=rf"invalid_json translate order {_CUT} 1",
    top_says="nothing to look at",
    types=(
        "pipeline dead list --stage translate --store acme-es --each",
        'pipeline dead drop 2:1034 --why "test order, TICKET-77"',
    ),
    subject=_CUT,
)

SILENT = Incident(
    name="shop-silent",
    what="WooCommerce has switched a shop's webhooks off",
    breaks=lambda scene: scene.shop("woocommerce").shop.has_webhooks(scene.webhooks("disabled")),
    alert="StoreSilent",
    labels={"store": _WOO},
    page_says=rf"{_WOO} fine {_WOO} (?:[3-9]\d|1\d\d) s ago|{_WOO} fine {_WOO} \d+ min ago",
    top_says=rf"{_WOO} fine (?:[3-9]\d|1\d\d) s ago|{_WOO} fine \d+ min ago",
    types=("pipeline check acme-es --repair", "pipeline sync acme-es --since 7d"),
    subject=_WOO,
    codes=frozenset({0, 1}),
    waits=LAG,
    seen_within=150.0,
)
