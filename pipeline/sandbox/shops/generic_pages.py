"""A custom shop's lists by the project's contract: in order of (updated_at, id), with a cursor of both."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipeline.sandbox.shops.feeds import Answer
from pipeline.sandbox.shops.quirks import ShopLists, asked

_PATH = re.compile(r".*/(orders|customers|products)")
_MAX = 500


class GenericLists(ShopLists):
    """Lists as the platform gives them."""

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer | None:  # noqa: ARG002 - as `Lists` has it
        """The page that is asked for; None where the path is none of a list."""
        place, said = asked(path)
        found = _PATH.fullmatch(place)
        if found is None:
            return None
        size = min(int(said.get("limit", "100")), self.quirks.shortest or _MAX)
        rows = sorted(getattr(self, found[1]).values(), key=_place)
        if since := said.get("updated_since"):
            rows = [row for row in rows if _place(row)[0] >= datetime.fromisoformat(since).timestamp()]
        after = _read(said["cursor"]) if "cursor" in said else (0.0, "")
        behind = [row for row in rows if _place(row) > after]
        again = self.quirks.repeats_last and not behind and "cursor" in said
        listed = rows[-size:] if again else behind[:size]
        more = len(behind) > size or (self.quirks.repeats_last and bool(listed) and not again)
        cursor = _written(_place(listed[-1])) if listed and (more or again) else None
        if again:  # a cursor that always leads to this page
            cursor = f"{said['cursor'].rstrip('=')}{'=' * (said['cursor'].count('=') + 1)}"
        return Answer(body={"items": listed, "next_cursor": cursor})


def _place(row: Mapping[str, Any]) -> tuple[float, str]:
    return datetime.fromisoformat(row["updated_at"]).timestamp(), str(row["id"])


def _written(place: tuple[float, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read(cursor: str) -> tuple[float, str]:
    at, own = json.loads(base64.urlsafe_b64decode(cursor.rstrip("=") + "==="))
    return at, own
