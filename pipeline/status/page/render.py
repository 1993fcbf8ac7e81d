"""Templates -> pages that load nothing, escape everything, and run one script that is known by its hash."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from pipeline.events import Lane
from pipeline.status import show
from pipeline.text import figure, moment, printable, span


class Pages:
    """Makes pages."""

    def __init__(self) -> None:
        loader = PackageLoader(__package__, "templates")
        self._environment = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        style, script = (loader.get_source(self._environment, name)[0] for name in ("style.css", "live.js"))
        self._environment.globals |= {
            "style": style,
            "script": script,
            "lanes": tuple(Lane),
            "lane_text": show.lane_text,
            "budget_text": show.budget_text,
            "eta_text": show.eta_text,
            "why_text": show.why_text,
            "ago_text": show.ago_text,
        }
        self._environment.filters |= {
            "span": span,
            "moment": moment,
            "figure": figure,
            "printable": lambda text: printable(str(text)),
        }
        self._headers = {
            "Content-Security-Policy": (
                f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
                "img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
                "frame-ancestors 'none'"
            ),
            "Cache-Control": "no-store",
            # Not no-referrer: browsers then say of our own forms that they come from nowhere.
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }

    def page(self, name: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """A page.

        Args:
            name: of its template, without `.html`.
            values: what it shows.
            status: of the answer.

        Raises:
            UndefinedError: the values are not of the form that the template knows.
        """
        text = self._environment.get_template(f"{name}.html").render(values)
        # Half a character of a shop's text is no UTF-8.
        return HTMLResponse(text.encode("utf-8", "replace"), status, dict(self._headers))


def _hash(text: str) -> str:
    """As a content security policy names an element by what is in it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
