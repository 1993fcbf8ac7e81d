"""The broker ends, the gateway's disk is full as well, and the machine loses power."""

from __future__ import annotations

from benchmarks.gameday.incident import Incident
from benchmarks.gameday.scene import Scene


def _disk_full(scene: Scene) -> None:
    scene.disk.fill()
    scene.broker.kill()


def _power_cut(scene: Scene) -> None:
    scene.site.cut_off()
    scene.broker.cut_off()


def _power_back(scene: Scene) -> None:
    assert scene.broker.tears() > 0


BROKER_DOWN = Incident(
    name="broker-down",
    what="kill -9 of the only broker, which nobody starts again",
    breaks=lambda scene: scene.broker.kill(),
    alert="KafkaAway",
    page_says=r"Kafka does not take events: [1-9]\d* are kept on disk",
    doctor_says=r"kafka: no embedded broker runs in [^\s,]+",
    types=("pipeline kafka",),
)

DISK_FULL = Incident(
    name="disk-full",
    what="the spool's disk is full, and the broker ends",
    breaks=_disk_full,
    alert="SpoolCannotBeWritten",
    page_says=r"gateway at \S+ is not ready: .*the spool's disk cannot be written",
    doctor_says=r"processes: gateway at \S+ is not ready: .*the spool's disk cannot be written",
    types=("df -h DATA_DIR", "pipeline kafka"),
    pages=("KafkaAway",),
    others=lambda scene: scene.disk.free(),
)

POWER_CUT = Incident(
    name="power-cut",
    what="kill -9 of everything at once; each topic's last file ends in a write cut short",
    breaks=_power_cut,
    alert="ProcessDown",
    labels={"process": "gateway"},
    page_says="",
    top_says=r"gateway at \S+ is not ready: \S+ does not answer",
    doctor_says=r"webhook to itself: \S+ does not answer",
    types=("pipeline kafka", "pipeline up"),
    pages=("KafkaAway",),
    others=_power_back,
)
