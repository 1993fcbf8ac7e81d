"""What a run is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from pipeline.shops.settings import ReconcileSettings

#: Findings in the table.
SHOWN = 20
#: In place of a file: ask for it.
API = "api"
#: In place of a list of the shop's: the orders that events came of.
EVENTS = "events"


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

    def filled(self, wish: ReconcileSettings | None) -> ReconcileOptions:
        """With what the store's settings say of reading files, where nothing else was said."""
        if wish is None:
            return self
        return replace(
            self,
            columns={str(column): heading for column, heading in wish.columns.items()} | self.columns,
            export_columns={str(column): heading for column, heading in wish.export_columns.items()}
            | self.export_columns,
            date_format=self.date_format or wish.date_format,
            decimal=self.decimal or wish.decimal,
        )
