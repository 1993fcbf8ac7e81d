"""All incidents, in the order of a game day."""

from __future__ import annotations

from benchmarks.gameday.incident import Incident
from benchmarks.gameday.incidents import connectif, kafka, processes, shops

#: By name.
ALL: dict[str, Incident] = {
    incident.name: incident
    for incident in (
        kafka.BROKER_DOWN,
        connectif.DOWN,
        connectif.ONE_ACCOUNT,
        connectif.WRONG_KEY,
        shops.API_FAILS,
        shops.CLOCK_OFF,
        shops.POISON,
        processes.KILLED,
        processes.FROZEN,
        processes.TENFOLD,
        processes.BAD_SETTINGS,
        kafka.DISK_FULL,
        shops.SILENT,
        kafka.POWER_CUT,
    )
}
