"""From a page's bytes to the report, as JSON values. It is pure; `bounded` runs it where it can be ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.check.page import charset, configuration, dom, expected, kind, script, sent, tags
from pipeline.check.page.configuration import Matches
from pipeline.check.page.findings import Findings, Severity
from pipeline.check.page.kinds import Kind
from pipeline.check.page.properties import TAGS
from pipeline.check.page.rules import contacts, orders, pages, products
from pipeline.check.page.rules.pages import Page
from pipeline.check.page.steps import steps

_ORDER = list(Severity)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known besides the page's bytes.

    Attributes:
        url: of the page; empty where it is not known.
        content_type: the header it came with.
        kind: of the page, where it is told; else it is recognised.
        domains: the authorised ones of the account.
        client_id: that the page must have.
        fed_by_api: the catalogue is not read from product pages.
        expected: ids to compare with.
        client_script: what Connectif serves as this account's script; None where it was not read.
    """

    url: str = ""
    content_type: str = ""
    kind: Kind | None = None
    domains: tuple[str, ...] = ()
    client_id: str = ""
    fed_by_api: bool = False
    expected: expected.Expected = field(default_factory=expected.Expected)
    client_script: str | None = None


def inspect(body: bytes, asked: Asked, matches: Matches) -> dict[str, Any]:
    """Read a page and judge it.

    Args:
        body: of the page, any bytes.
        asked: what is known besides.
        matches: tries a pattern of Connectif's settings on an address.
    """
    text = charset.decode(body, asked.content_type)
    page = _page(dom.parse(text.text), asked)
    findings = Findings()
    _of_bytes(body, text, asked, findings)
    _judge(page, asked, findings, matches)
    found = page.scripts.connectif
    ordered = sorted(findings.kept, key=lambda one: _ORDER.index(one.severity))
    return {
        "page": {
            "url": asked.url,
            "bytes": len(body),
            "encoding": text.encoding,
            "encoding_by": text.by,
            "kind": page.kind.kind.value,
            "kind_by": page.kind.by,
        },
        "script": None
        if found is None
        else {
            "environment": found.environment or None,
            "client_id": found.client_ids[0] if found.client_ids else None,
            "form": found.form,
            "configuration": page.configuration.as_json() if page.configuration else None,
        },
        "managers": page.scripts.managers,
        "javascript_events": page.scripts.events,
        "tags": {name: count for name, count in page.tags.counts.items() if count},
        "sent": None if found is None and not page.scripts.managers else sent.sent(page.tags),
        "values": sent.table(page.tags),
        "findings": [_as_json(one) for one in ordered],
        "findings_left_out": findings.left_out,
        "counts": {level.value: sum(one.severity is level for one in ordered) for level in Severity},
        "steps": [{"do": step.do, "look_for": step.look_for} for step in steps(page)],
    }


def _page(document: dom.Document, asked: Asked) -> Page:
    found = tags.read(document)
    script_text = asked.client_script
    return Page(
        document,
        found,
        script.read(document),
        kind.recognise(document, found, asked.url, asked.kind),
        url=asked.url,
        domains=asked.domains,
        client_id=asked.client_id,
        fed_by_api=asked.fed_by_api,
        configuration=None if script_text is None else configuration.read(script_text),
        hidden=_hidden(document),
    )


def _hidden(document: dom.Document) -> dict[str, list[str]]:
    """Tags that stand where no class look-up finds them."""
    places: dict[str, list[str]] = {}
    for hidden in document.hidden:
        for name in TAGS if "cn_" in hidden.text else ():
            where = places.setdefault(name, [])
            if name in hidden.text and hidden.where not in where:
                where.append(hidden.where)
    return {name: where for name, where in places.items() if where}


def _judge(page: Page, asked: Asked, findings: Findings, matches: Matches) -> None:
    confirmation = page.is_(Kind.CONFIRMATION)
    pages.script(page, findings)
    pages.configured(page, findings, matches)
    pages.address(page, findings)
    pages.tags_of_kind(page, findings)
    orders.purchases(page.tags, page.domains, findings)
    orders.cart(page.tags, page.domains, findings)
    products.visited_and_searched(page.tags, page.domains, findings)
    contacts.contact(page.tags, findings, confirmation=confirmation)
    contacts.newsletters(page.tags, findings)
    pages.searches(page, findings)
    pages.wrong_places(page, findings)
    pages.small_tags(page, findings)
    expected.compare(page.tags, asked.expected, contacts.primary_key(page.tags), findings)
    if asked.client_script is not None and page.configuration is None:
        said = (
            "Connectif's client script was read, but says nothing of the store's settings that is understood"
        )
        findings.note("script", "no_configuration", said)


def _of_bytes(body: bytes, text: charset.Decoded, asked: Asked, findings: Findings) -> None:
    if not body.strip():
        findings.error("page", "empty", "the page is empty", "nothing is sent")
    media = asked.content_type.partition(";")[0].strip().lower()
    if media and media not in {"text/html", "application/xhtml+xml"}:
        said = f"the page comes as {media[:60]}, which browsers do not take for HTML"
        findings.error("page", "no_html", said, "nothing is sent", "send it as text/html")
    if text.unreadable:
        said = f"{text.unreadable:,} places cannot be read in {text.encoding}, which came from {text.by}"
        findings.warning(
            "page", "encoding", said, "names reach Connectif damaged", "name the encoding in the header"
        )


def _as_json(one: Any) -> Mapping[str, Any]:
    return {
        "severity": one.severity.value,
        "about": one.about,
        "code": one.code,
        "what": one.what,
        "effect": one.effect,
        "hint": one.hint,
        "text": one.text,
        "personal": one.personal,
    }
