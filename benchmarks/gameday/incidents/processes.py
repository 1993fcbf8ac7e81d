"""Workers that end and hang, more than the limits let out, and a settings file with an error in it."""

from __future__ import annotations

import signal

from benchmarks.gameday.incident import Incident
from benchmarks.gameday.scene import Scene, late_beside
from tests.proof.running import store_of

_BUSY = store_of("shopify")
#: Orders at once: ten times what the shop sells in the time that its limit of calls needs for them.
SALE = 400


def _bad_settings(scene: Scene) -> None:
    """Somebody writes a limit that is none, and takes no notice of what the reload says."""
    text = scene.site.path.read_text(encoding="utf-8")
    scene.site.path.write_text(text.replace("calls_per_minute = 8", "calls_per_minute = -8", 1), "utf-8")
    assert scene.type("pipeline reload").code == 1, "it is refused"


def _nothing_stands_still(scene: Scene) -> str:
    """Whether `top`, which reads the file as it is now, takes the account for stopped."""
    said = scene.watch.top()["troubles"]
    return f"`top` says of what goes on: {said}" if said else ""


KILLED = Incident(
    name="worker-killed",
    what="kill -9 of translate as often as it is there, until it is noticed",
    breaks=lambda scene: scene.site.kill("translate"),
    during=lambda scene: scene.site.kill("translate"),
    alert="ProcessDown",
    labels={"process": "translate"},
    page_says=r"translate(?: \S+)? at \S+ is not ready",
    types=("grep -E 'ended|stopped for good' DATA_DIR/logs/up.log",),
)

FROZEN = Incident(
    name="worker-frozen",
    what="SIGSTOP to deliver: it is there, and neither works nor ends",
    breaks=lambda scene: scene.site.send("deliver", signal.SIGSTOP),
    alert="ProcessDown",
    labels={"process": "deliver"},
    page_says=r"deliver(?: \S+)? at \S+ is not ready: \S+ has not answered within 3 s",
    doctor_says=r"processes: deliver(?: \S+)? at \S+ is not ready: \S+ has not answered within 6 s",
    types=("pgrep -af 'pipeline worker deliver --config .*DATA_DIR/up/'", "kill -KILL PID"),
    pages=("README",),
)

TENFOLD = Incident(
    name="tenfold",
    what=f"{SALE} orders at one shop at once; the others sell as ever",
    breaks=lambda scene: scene.shop("shopify").sell(SALE),
    alert="RecordsWaitTooLong",
    labels={"account": _BUSY, "kind": "purchase", "lane": "live"},
    page_says=rf"{_BUSY} waiting \d+ \([2-9]\d s\)",
    types=(
        "pipeline deliver explain --account acme-es",
        "pipeline plan --orders acme-es=5000 --live-per-minute 20",
    ),
    subject=_BUSY,
    meanwhile=lambda scene: late_beside(scene, _BUSY),
)

BAD_SETTINGS = Incident(
    name="bad-settings",
    what="a settings file in which an account has a limit of -8 calls is reloaded",
    breaks=_bad_settings,
    alert="SettingsNotTakenOver",
    page_says=r"its last reload was refused",
    doctor_says=r"settings: .*calls_per_minute",
    meanwhile=_nothing_stands_still,
    types=("pipeline validate --against running", "pipeline reload"),
    others=lambda scene: scene.site.write(),
)
