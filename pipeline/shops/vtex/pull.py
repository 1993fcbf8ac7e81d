"""How VTEX's orders, clients and products are read page by page."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

import orjson

from pipeline.events import Kind, RawEvent
from pipeline.shops.api import FETCHED, ApiRequest, Documents, pack
from pipeline.shops.pull import PullAnswer, PulledRow, PullPage, PullPass, PullScope, ShopPull
from pipeline.shops.vtex import client_pages, lookups, order_pages, product_pages
from pipeline.shops.vtex.settings import VtexSettings, VtexStore
from pipeline.shops.vtex.topics import CATALOGUE, CLIENT, HOOK

_DAY = 86_400.0
_GONE = 404
#: What would have named the rows of a topic.
_NOTIFICATIONS = {
    "order": (Kind.ORDER, HOOK),
    "client": (Kind.CUSTOMER, CLIENT),
    "product": (Kind.PRODUCT, CATALOGUE),
}


def first(settings: VtexSettings, scope: PullScope) -> ApiRequest:  # noqa: ARG001 - as `ShopPull` has it
    """The request for the first page."""
    if scope.kind is Kind.ORDER:
        return order_pages.first(scope)
    return client_pages.first(scope) if scope.kind is Kind.CUSTOMER else product_pages.first()


def read(settings: VtexSettings, scope: PullScope, request: ApiRequest, answer: PullAnswer) -> PullPage:
    """What a page says.

    Raises:
        Rejected: `not_a_page`, `too_many_at_once`, `missing_field`, `invalid_date`.
    """
    if scope.kind is Kind.ORDER:
        return order_pages.read(scope, request, answer.value)
    if scope.kind is Kind.CUSTOMER:
        return client_pages.read(scope, request, answer)
    return product_pages.read(settings, scope, request, answer.value)


def instead(
    settings: VtexSettings,  # noqa: ARG001 - as `ShopPull` has it
    scope: PullScope,
    request: ApiRequest,
    status: int,
) -> ApiRequest | None:
    """Another form of a request that was refused; None where there is none."""
    return client_pages.instead(scope, request, status) if scope.kind is Kind.CUSTOMER else None


def deletion(kind: Kind, entity: str) -> tuple[str, bytes] | None:
    """The event that the look-up of something that is gone would make, under a topic of its own."""
    if kind is Kind.ORDER:
        return None
    path = lookups.client_path(entity) if kind is Kind.CUSTOMER else lookups.articles_path(entity)
    return f"{FETCHED}gone", pack([(path, _GONE, b"")])


def needs(row: PulledRow, documents: Documents, store: VtexStore) -> Sequence[str]:
    """As `lookups.needs` of the notification that would have named the row."""
    notification = _NOTIFICATIONS.get(row.topic.removeprefix(FETCHED))
    if notification is None:
        return ()
    kind, topic = notification
    body = orjson.dumps({"IdSku": _article(documents)}) if kind is Kind.PRODUCT else b"{}"
    event = RawEvent(store.name, "vtex", kind, row.entity, topic, "", 0, body)
    return lookups.needs(event, documents, store)


def _article(documents: Documents) -> str | None:
    """The article that was asked for first."""
    beginning = lookups.article_path("")
    found = (path.removeprefix(beginning) for path in documents if path.startswith(beginning))
    return next((unquote(one) for one in found), None)


PULL: ShopPull[VtexSettings] = ShopPull(
    passes={
        Kind.ORDER: (PullPass.CHANGED, PullPass.FULL),
        Kind.CUSTOMER: (PullPass.CHANGED, PullPass.FULL, PullPass.CONSENT, PullPass.PRESENT),
        Kind.PRODUCT: (PullPass.FULL, PullPass.PRESENT),
    },
    first=first,
    read=read,
    needs=needs,
    overlap=900.0,
    lag=300.0,
    by_placing=True,
    horizon=order_pages.HORIZON_DAYS * _DAY,
    effort={Kind.CUSTOMER: 0.01, Kind.PRODUCT: 2.0, Kind.ORDER: 1.0},
    deletion=deletion,
    instead=instead,
)
