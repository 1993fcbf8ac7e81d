"""What somebody on call looks at: alerts, the status page, `pipeline top`."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
from selectolax.lexbor import LexborHTMLParser

from benchmarks.gameday import rules
from tests.integration.operating import Site
from tests.integration.watching import RULES, Prometheus
from tests.local_http import http


class Watch:
    """See the module.

    Args:
        site: that is looked at.
        directory: where Prometheus may write; None: alerts are not looked at.
    """

    def __init__(self, site: Site, directory: Path | None) -> None:
        self._site, self._directory = site, directory
        self._prometheus: Prometheus | None = None

    def start(self) -> None:
        """Begin to look; everything runs by now."""
        if self._directory is not None:
            made = rules.written(RULES, self._directory / "rules")
            targets = {**self._site.urls, "status": self._site.status_url}
            self._prometheus = Prometheus(self._directory / "prometheus", targets, made).__enter__()

    def stop(self) -> None:
        """Look no more."""
        if self._prometheus is not None:
            self._prometheus.__exit__(None, None, None)

    @property
    def sees_alerts(self) -> bool:
        """Whether there is a Prometheus."""
        return self._prometheus is not None

    def fires(self, alert: str, labels: Mapping[str, str]) -> bool:
        """Whether an alert fires, with these labels."""
        return any(labels.items() <= found.items() for found in self._alerts("firing").get(alert, ()))

    def rests(self, alert: str) -> bool:
        """Whether an alert neither fires nor is about to."""
        return alert not in self._alerts()

    def firing(self) -> set[str]:
        """All alerts that fire."""
        return set(self._alerts("firing"))

    def _alerts(self, *states: str) -> dict[str, list[dict[str, str]]]:
        return {} if self._prometheus is None else self._prometheus.alerts(*states)

    def sick_rules(self) -> list[str]:
        """Rules that Prometheus cannot evaluate."""
        return [] if self._prometheus is None else self._prometheus.sick_rules()

    def page(self, place: str = "/") -> str:
        """The text of a page, words parted by one blank; empty while it does not answer."""
        with contextlib.suppress(httpx.HTTPError):
            answer = http.get(self._site.status_url + place, timeout=10)
            body = LexborHTMLParser(answer.text).css_first("main")
            if answer.is_success and body is not None:
                return " ".join(body.text(separator=" ").split())
        return ""

    def is_well(self) -> bool:
        """Whether the page has nothing to look at."""
        return self.page().startswith("All well")

    def problems(self) -> list[str]:
        """The problems that `pipeline doctor` finds, each as `subject: what was found`."""
        found = orjson.loads(self._site.command("doctor", "--json").stdout)["findings"]
        return [f"{one['subject']}: {one['said']}" for one in found if one["verdict"] == "problem"]

    def top(self) -> dict[str, list[dict[str, Any]]]:
        """`pipeline top --json`."""
        found: dict[str, list[dict[str, Any]]] = orjson.loads(self._site.command("top", "--json").stdout)
        return found
