"""The store's settings, which the client script that Connectif serves carries at its end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_PLACE = re.compile(r"connectifConfiguration\s{0,20}=\s{0,20}(?=\{)")
_LIST_MAX = 200
_NUMBER_MAX = 1e9

#: Says whether a pattern finds an address; None where it took too long, or is none.
Matches = Callable[[str, str], bool | None]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What it says, of what matters here; None where it does not say."""

    tracking: bool | None
    starts_itself: bool | None
    sends_tags: bool | None
    allowed_domains: tuple[str, ...]
    tracks_all: bool | None
    included: tuple[str, ...]
    excluded: tuple[str, ...]
    sampling: float | None
    token: str
    service_worker: str
    forms: int

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return {
            "webTrackingEnabled": self.tracking,
            "autoInitialize": self.starts_itself,
            "autoSendEventsOnInit": self.sends_tags,
            "allowedDomains": list(self.allowed_domains),
            "trackAllByDefault": self.tracks_all,
            "includeTracking": list(self.included),
            "excludeTracking": list(self.excluded),
            "samplingTrackingPercent": self.sampling,
            "token": self.token,
            "serviceWorkerUrl": self.service_worker,
            "forms": self.forms,
        }


def read(script: str) -> Configuration | None:
    """The settings in a client script; None where it has none that can be read."""
    for place in _PLACE.finditer(script):
        try:
            tree, _ = json.JSONDecoder().raw_decode(script, place.end())
        except (ValueError, RecursionError):
            continue
        if isinstance(tree, dict):
            return _of(tree)
    return None


def _of(tree: dict[str, Any]) -> Configuration:
    forms = tree.get("forms")
    return Configuration(
        tracking=_flag(tree.get("webTrackingEnabled")),
        starts_itself=_flag(tree.get("autoInitialize")),
        sends_tags=_flag(tree.get("autoSendEventsOnInit")),
        allowed_domains=_texts(tree.get("allowedDomains")),
        tracks_all=_flag(tree.get("trackAllByDefault")),
        included=_texts(tree.get("includeTracking")),
        excluded=_texts(tree.get("excludeTracking")),
        sampling=_number(tree.get("samplingTrackingPercent")),
        token=_text(tree.get("token")),
        service_worker=_text(tree.get("serviceWorkerUrl")),
        forms=len(forms) if isinstance(forms, list | dict) else 0,
    )


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _NUMBER_MAX else None


def _text(value: object) -> str:
    return value[:500] if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(_text(one) for one in listed[:_LIST_MAX] if _text(one))
