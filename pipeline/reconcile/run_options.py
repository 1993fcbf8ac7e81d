"""What a run is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

#: Findings in the table.
SHOWN = 20
#: In place of a file of Connectif's export: ask for it.
API = "api"


@dataclass(slots=True)
class ReconcileOptions:
    """What was asked for; the fields are the command's options."""

    store: str
    since: date | None = None
    until: date | None = None
    shop: str | None = None
    connectif_export: str | None = None
    verify: bool = False
    calls_per_minute: int | None = None
    csv: Path | None = None
    html: Path | None = None
    repair: bool = False
    as_json: bool = False
    columns: dict[str, str] = field(default_factory=dict)
    export_columns: dict[str, str] = field(default_factory=dict)
    date_format: str | None = None
    decimal: str | None = None
    most: int = SHOWN
