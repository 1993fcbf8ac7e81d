"""Whether a page has Connectif's JavaScript, of which account, and which events its own scripts send."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from pipeline.check.page.dom import Document, Element
from pipeline.shops.registry import PLATFORMS

_ID = r"[0-9A-Za-z-]{8,64}"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_ADDRESS = re.compile(r"cdn\.connectif\.cloud/([a-z0-9]{1,20})/client-script/")
_ADDRESS_ID = re.compile(rf"cdn\.connectif\.cloud/[a-z0-9]{{1,20}}/client-script/({_ID})")
_ELEMENT_ID = re.compile(rf"__cn_(?:generic|client)_script_(?:_)?({_ID})")
_MARK = re.compile(r"cdn\.connectif\.cloud/|__cn_(?:generic|client)_script_")
_CNID = re.compile(rf"""\b_cnid["']?\s{{0,20}}[:=]\s{{0,20}}["']({_ID})["']""")
_WORKER = re.compile(r"cdn\.connectif\.cloud/scripts/service-worker")
#: Strings, so that what looks like a comment in them stays; and comments, which go.
_TOKENS = re.compile(
    r"""(?P<kept>"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|`(?:\\.|[^`\\])*`?)"""
    r"|/\*(?:.*?\*/|.*)|//[^\n]*|<!--[^\n]*",
    re.DOTALL,
)
#: MIME types that browsers run; others are data, or wait for a consent.
_RUN = re.compile(
    r"(?:|module|(?:text|application)/(?:x-)?(?:java|ecma)script|text/(?:jscript|livescript|javascript1\.[0-5]))"
)
_MANAGERS = {
    "Google Tag Manager": re.compile(
        r"googletagmanager\.com/(?:gtm\.js|ns\.html)|\bgtm\.js\b|\bGTM-[A-Z0-9]{4,10}\b"
    ),
    "Tealium": re.compile(r"tags\.tiqcdn\.com"),
    **{
        platform.title: platform.tracking.marks
        for platform in PLATFORMS.values()
        if platform.tracking.marks is not None
    },
}
_EVENT = re.compile(r"""(?<![\w$])["']?type["']?\s{0,20}:\s{0,20}["'`]([a-z-]{4,30})["'`]""")
_SENDS = re.compile(r"\bsendEvents\s{0,20}[(.]")
_PURCHASE_FIELDS = ("purchaseId", "totalQuantity", "totalPrice", "products")
EVENTS = frozenset(
    {
        "page-visit", "product-visited", "purchase", "search", "newsletter-subscribe", "login", "register",
        "form-submitted", "custom",
    }
)  # fmt: skip

Form = Literal["generic", "module", "direct"]


@dataclass(slots=True)
class Script:
    """Connectif's JavaScript in a page.

    Attributes:
        form: `generic`: the snippet for shops of one's own; `module`: a shop module's; `direct`: an address.
        environment: of the account, such as eu1; empty where the page does not say.
        client_ids: all that are named.
        count: how many elements of the page bring it.
        waits: it is written so that it does not run before a consent.
    """

    form: Form
    environment: str = ""
    client_ids: list[str] = field(default_factory=list)
    count: int = 0
    waits: bool = False


@dataclass(slots=True)
class Scripts:
    """What the scripts of a page do, as far as their text says.

    Attributes:
        connectif: Connectif's own; None where it is not there.
        managers: what may bring it from elsewhere.
        events: types of events that scripts of the page send.
        sends: a script calls sendEvents.
        resends_tags: a script sends tags that were added later.
        starts_by_hand: a script starts Connectif itself.
        unseen_fields: fields of a purchase by JavaScript that its script does not name.
    """

    connectif: Script | None = None
    managers: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    sends: bool = False
    resends_tags: bool = False
    starts_by_hand: bool = False
    unseen_fields: list[str] = field(default_factory=list)


def read(document: Document) -> Scripts:
    """Read all scripts of a page."""
    found = Scripts()
    for element, text in document.scripts:
        code = without_comments(text)
        runs = _RUN.fullmatch(element.attributes.get("type", "").strip().lower()) is not None
        _connectif(found, element, code, runs=runs)
        address = f"{element.attributes.get('src', '')} {element.attributes.get('data-src', '')}"
        _managers(found, f"{address}\n{code}")
        if runs:
            _events(found, code)
    _managers(
        found, "\n".join(hidden.text[:2_000] for hidden in document.hidden if hidden.where == "noscript")
    )
    return found


def without_comments(code: str) -> str:
    """A script without its comments; strings stay as they are."""
    return _TOKENS.sub(lambda found: found["kept"] or " ", code)


def _connectif(found: Scripts, element: Element, code: str, *, runs: bool) -> None:
    source = element.attributes.get("src", "")
    later = element.attributes.get("data-src", "")
    own_id = element.attributes.get("id", "")
    # A browser does not run what is between the tags of a script that has an address.
    seen = "\n".join((own_id, source, later, "" if source else code))
    if not _MARK.search(_WORKER.sub("", seen)):
        return
    is_waiting = not runs or (bool(later) and not source)
    if found.connectif is None:
        found.connectif = Script(_form(own_id, seen), waits=is_waiting)
    script = found.connectif
    script.count += 1
    script.waits = script.waits and is_waiting
    if environment := _ADDRESS.search(seen):
        script.environment = script.environment or environment[1]
    for client_id in _ids(seen):
        if client_id.lower() not in script.client_ids:
            script.client_ids.append(client_id.lower())


def _form(own_id: str, seen: str) -> Form:
    if "_cnid" in seen or "ConnectifObject" in seen:
        return "module"
    return "generic" if "__cn_generic_script_" in own_id else "direct"


def _ids(seen: str) -> Iterator[str]:
    for pattern in (_ADDRESS_ID, _ELEMENT_ID, _CNID):
        for count, found in enumerate(pattern.finditer(seen)):
            if count == 20:  # noqa: PLR2004 - a page of one account has one
                break
            yield found[1]


def is_uuid(client_id: str) -> bool:
    """Whether a client id has the form that Connectif's have."""
    return _UUID.fullmatch(client_id) is not None


def _managers(found: Scripts, text: str) -> None:
    for name, pattern in _MANAGERS.items():
        if name not in found.managers and pattern.search(text):
            found.managers.append(name)


def _events(found: Scripts, code: str) -> None:
    found.resends_tags = found.resends_tags or "getAllEventsAsync" in code
    found.starts_by_hand = (
        found.starts_by_hand or re.search(r"\binitializeConnectif\s{0,20}\(", code) is not None
    )
    if not _SENDS.search(code):
        return
    found.sends = True
    types = [event[1] for event in _EVENT.finditer(code) if event[1] in EVENTS]
    found.events += [event for event in dict.fromkeys(types) if event not in found.events]
    if "purchase" in types:
        found.unseen_fields = [name for name in _PURCHASE_FIELDS if name not in code]
