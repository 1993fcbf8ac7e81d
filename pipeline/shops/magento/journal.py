"""Adobe's journal of I/O Events: each event of a registration for seven days, webhook or not.

It is read with a project's own credentials, from Adobe, not from the shop. Where it was read up to is a
position, which expires with the event that it names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from pipeline.config_values import secret_text
from pipeline.shops.api import ApiRequest, Moment, RequestLimit, ShopApi
from pipeline.shops.base import Rejected
from pipeline.shops.feed import FeedAnswer, FeedPage, ShopFeed, body_of, entries_of
from pipeline.shops.magento.settings import MagentoSettings

_TOKENS = "https://ims-na1.adobelogin.com/ims/token/v3"
_SCOPE = "openid,AdobeID,read_organizations,additional_info.projectedProductContext,adobeio_api"
#: Events of one answer; an event has 64 KB at most.
_AT_ONCE = 100
#: Seconds between two questions while nothing happens, where Adobe does not say; and the longest it may say.
_REST, _LONGEST_REST = 10.0, 300.0
#: Adobe keeps an event for seven days; half a day for what does not go by our clock.
_KEPT_FOR = 6.5 * 86_400
_LONGEST_POSITION = 1_000
_LINK = re.compile(r"<([^<>\s]{1,4000})>\s*((?:;[^,<>]{0,200})*)")
_NEXT = re.compile(r';\s*rel\s*=\s*"?next"?(?=\s*(?:;|$))', re.IGNORECASE)


def request(settings: MagentoSettings, position: str) -> ApiRequest:
    """The question for what follows a position; without one Adobe begins with the oldest event."""
    since = f"since={quote(position, safe=':')}&" if position else ""
    return ApiRequest(f"{settings.journal_url or ''}?{since}limit={_AT_ONCE}")


def read(settings: MagentoSettings, position: str, answer: FeedAnswer) -> FeedPage:  # noqa: ARG001 - as `ShopFeed` has it
    """The events, and the position behind them.

    Of Adobe's link to the next page only the position is taken: no answer says where our token goes.

    Raises:
        Rejected: the answer is no page of a journal, or leads nowhere.
    """
    following = _following(answer)
    if answer.value is None:
        return FeedPage([], position=following or position, wait=_rest(answer.headers))
    entries = entries_of(_of(answer.value, "events"), "events")
    if not entries:
        return FeedPage([], position=following or position, wait=_REST)
    if following is None or following == position:
        raise Rejected("not_a_feed", "position", "events, but no new position behind them")
    return FeedPage([_body(entry) for entry in entries], position=following)


def _body(entry: object) -> bytes:
    """The event, as a webhook has it."""
    event = _of(entry, "event")
    return body_of(entry if event is None else event)


def _of(value: object, field: str) -> Any:
    return value.get(field) if isinstance(value, dict) else None


def _following(answer: FeedAnswer) -> str | None:
    """The position that the next link names, else that of the last event."""
    for address, parameters in _LINK.findall(answer.headers.get("link", "")[:20_000]):
        if _NEXT.search(parameters):
            found = _since(address)
            if found is not None:
                return found
    return _usable(_of(_of(answer.value, "_page"), "last"))


def _since(address: str) -> str | None:
    try:
        return _usable(parse_qs(urlsplit(address).query, max_num_fields=20).get("since", [None])[0])
    except ValueError:
        return None


def _usable(position: object) -> str | None:
    whole = isinstance(position, str) and 0 < len(position) <= _LONGEST_POSITION and position.isprintable()
    return position if whole and isinstance(position, str) else None


def _rest(headers: Mapping[str, str]) -> float:
    said = headers.get("retry-after", "").strip()
    return min(_LONGEST_REST, max(1.0, float(said))) if re.fullmatch(r"[0-9]{1,6}", said) else _REST


# Adobe's API.


def base_url(settings: MagentoSettings) -> str:
    """Scheme and host of the journal's address."""
    parts = urlsplit(settings.journal_url or "")
    return f"{parts.scheme}://{parts.netloc}"


def authorise(settings: MagentoSettings, request: ApiRequest, moment: Moment) -> Mapping[str, str]:  # noqa: ARG001 - as `ShopApi` has it
    """The headers that let a request in."""
    return {
        "authorization": f"Bearer {moment.token}",
        "x-api-key": settings.events_client_id or "",
        "x-ims-org-id": settings.events_organisation or "",
    }


def token(settings: MagentoSettings) -> ApiRequest:
    """The request for a token of the project that registered the events."""
    secret = settings.events_client_secret
    form = {
        "grant_type": "client_credentials",
        "client_id": settings.events_client_id or "",
        "client_secret": secret_text(secret),
        "scope": _SCOPE,
    }
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    return ApiRequest(_TOKENS, "POST", headers, urlencode(form).encode())


JOURNAL: ShopFeed[MagentoSettings] = ShopFeed(
    title="journal of Adobe I/O Events",
    chosen=lambda settings: settings.journal_url is not None,
    source=lambda settings: settings.journal_url or "",
    request=request,
    read=read,
    api=ShopApi(
        base_url=base_url,
        authorise=authorise,
        limit=lambda _: RequestLimit(requests=5, seconds=1.0, pause=10.0),
        token=token,
        scopes=("I/O Management API",),
    ),
    kept_for=_KEPT_FOR,
    advice={
        "missing": "there is no such journal: copy journal_url from the registration in the Adobe Developer "
        "Console",
        "unauthorised": "check events_client_id, events_client_secret and events_organisation, and add the "
        "I/O Management API to the project (docs/shops/magento.md)",
        "refused": "check journal_url and events_organisation",
    },
)
