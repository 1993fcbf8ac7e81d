"""How a shop of `truth` stands in each platform's simulated API, and what its webhooks say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pipeline.events import Kind
from tests.platforms import IN_TESTS
from tests.proof.truth import Deed, Size, Told, Traits
from tests.shop_bodies import Article, Person, Sale, Sent, prestashop, shopify_rows
from tests.shop_lists import vtex_row

#: A platform's words for who subscribes and who does not.
Words = tuple[Any, Any]


class Held(NamedTuple):
    """What the API has of something.

    Attributes:
        list: whose pages list it.
        row: as it is listed; None: it is not listed any more.
        id: under which it was listed.
        documents: what is asked for by itself, by path and query.
    """

    list: str
    row: dict[str, Any] | None
    id: str
    documents: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Platform:
    """A platform of the proof.

    Attributes:
        name: its name.
        traits: what its shops can do.
        settings: of its stores.
        access: how its API lets requests in.
        words: for consent.
        held: what the API has of something after it changed so.
        pages: rows of the longest page that the API gives, of customers, products and orders.
        singly: requests that each customer, product and order must be asked for beside, as the API is.
        lists: how its lists are, beside whose they are.
    """

    name: str
    traits: Traits
    settings: Mapping[str, Any]
    access: Mapping[str, Any]
    words: Words
    held: Callable[[Platform, Told, Deed], Iterator[Held]]
    pages: tuple[int, int, int] = (100, 100, 100)
    singly: tuple[int, int, int] = (0, 0, 0)
    lists: Mapping[str, Any] = field(default_factory=dict)

    def sent(self, told: Told) -> Sent:
        """What its webhook says."""
        bodies = IN_TESTS[self.name].bodies
        match told:
            case Sale():
                return bodies.order(told)
            case Person():
                return bodies.customer(self.in_words(told))
            case Article():
                return bodies.product(told)

    def in_words(self, person: Person) -> Person:
        """With the platform's word for consent."""
        if person.consent is None:
            return person
        return replace(person, consent=self.words[0 if person.consent == "subscribed" else 1])

    def fewest_requests(self, size: Size) -> int:
        """The least that any program must ask to read a shop of this size."""
        pages = sum(-(-rows // most) for rows, most in zip(size, self.pages, strict=True))
        return pages + sum(rows * each for rows, each in zip(size, self.singly, strict=True))

    def webhook(self, told: Told, deed: Deed) -> Sent | None:
        """The webhook that tells it; None where the platform has none for that."""
        if deed == "gone":
            return IN_TESTS[self.name].bodies.deleted(kind_of(told), told.id)
        return self.sent(told)


def kind_of(told: Told) -> Kind:
    """The kind of its events."""
    kinds = {Sale: Kind.ORDER, Person: Kind.CUSTOMER, Article: Kind.PRODUCT}
    return kinds[type(told)]


def _shopify(platform: Platform, told: Told, deed: Deed) -> Iterator[Held]:  # noqa: ARG001 - as `held` has it
    kind = kind_of(told)
    row: dict[str, Any]
    match told:
        case Sale():
            row = shopify_rows.order(told)
        case Person():
            word = told.consent and told.consent.upper()
            row = shopify_rows.customer(replace(told, consent=word))
        case Article():
            row = shopify_rows.product(told)
    yield Held(f"{kind}s", None if deed == "gone" else row, row["id"])


def _woocommerce(platform: Platform, told: Told, deed: Deed) -> Iterator[Held]:
    row = platform.sent(told).document
    if deed == "gone" and isinstance(told, Sale):
        yield Held("orders", {**row, "status": "trash"}, told.id)
    else:
        yield Held(f"{kind_of(told)}s", None if deed == "gone" else row, told.id)


def _generic(platform: Platform, told: Told, deed: Deed) -> Iterator[Held]:
    row = platform.sent(told).document
    if deed == "gone" and isinstance(told, Sale):
        row = {name: row[name] for name in ("id", "updated_at")} | {"deleted": True}
        yield Held("orders", row, told.id)
    else:
        yield Held(f"{kind_of(told)}s", None if deed == "gone" else row, told.id)


def _magento(platform: Platform, told: Told, deed: Deed) -> Iterator[Held]:
    row = platform.sent(told).document
    if isinstance(told, Person) and told.consent is None and int(told.id) % 2:
        row["extension_attributes"]["is_subscribed"] = False  # said of all who never decided
    yield Held(f"{kind_of(told)}s", None if deed == "gone" else row, told.id)


def _vtex(platform: Platform, told: Told, deed: Deed) -> Iterator[Held]:
    sent, kind = platform.sent(told), kind_of(told)
    document = sent.document
    if isinstance(told, Sale) and told.state == "sold" and told.changed > told.placed:
        document["authorizedDate"] = document["lastChange"]  # it was paid later
    assert sent.announced is not None
    name, row = vtex_row(kind, sent)
    if isinstance(told, Sale):
        row["invoicedDate"] = document["lastChange"] if told.state == "refunded" else None
    answers = {} if deed == "gone" else sent.announced(document).answers
    yield Held(name, None if deed == "gone" else row, told.id, answers)


_JSON = "output_format=JSON"
_FILTERS = {
    "/api/order_slip": "filter[id_order]",
    "/api/stock_availables": "filter[id_product]",
    "/api/specific_prices": "filter[id_product]",
}
_GUESTS = 9_000_000


def _prestashop(platform: Platform, told: Told, deed: Deed) -> Iterator[Held]:
    sent, kind = platform.sent(told), kind_of(told)
    if isinstance(told, Sale) and told.customer is None:
        yield _prestashop_guest(sent, told)
    answers = _prestashop_answers(sent, told)
    if isinstance(told, Person) and told.consent == "unsubscribed":
        sent.document["customer"]["newsletter_date_add"] = "2024-01-02 03:04:05"  # of the subscription
    yield Held(f"{kind}s", None if deed == "gone" else sent.document[kind], told.id, answers)


def _prestashop_guest(sent: Sent, sale: Sale) -> Held:
    """A guest has a row of their own."""
    own = _GUESTS + int(sale.id)
    sent.document["order"]["id_customer"] = str(own)
    sent.document["customer"]["id"] = own
    dates = dict.fromkeys(("date_add", "date_upd"), sent.document["order"]["date_add"])
    row = {**sent.document["customer"], **dates, "newsletter": "0", "is_guest": "1"}
    return Held("customers", row, str(own))


def _prestashop_answers(sent: Sent, told: Told) -> dict[str, Any]:
    """By path and query, as they are asked; an account's own document is that of the account."""
    if isinstance(told, Sale):
        found = prestashop.asked(sent)
        if told.customer is not None:
            del found[f"/api/customers/{told.customer}?{_JSON}"]
        return found
    assert sent.announced is not None
    return {
        path + (f"?{_FILTERS[path]}=[{told.id}]&display=full&" if path in _FILTERS else "?") + _JSON: said
        for path, said in sent.announced(sent.document).answers.items()
    }


PROVED: Mapping[str, Platform] = {
    one.name: one
    for one in (
        Platform(
            "shopify",
            Traits(silent_withdrawal=False, silent_stock=False, guest_phone=False),
            {"client_id": "client", "client_secret": "hush"},
            {
                "scheme": "expiring",
                "token_path": "/admin/oauth/access_token",
                "client_id": "client",
                "client_secret": "hush",
                "header": "x-shopify-access-token",
                "life": 60,
            },
            ("subscribed", "unsubscribed"),
            _shopify,
            pages=(250, 250, 250),
            lists={"points": 20_000, "restore": 20_000},
        ),
        Platform(
            "woocommerce",
            Traits(silent_stock=False, orders_go=True),
            {
                "consumer_key": "ck",
                "consumer_secret": "cs",
                "api_requests_per_minute": 6_000,
                "consent_field": "newsletter",
            },
            {"scheme": "basic", "user": "ck", "password": "cs"},
            ("1", "unsubscribed"),
            _woocommerce,
        ),
        Platform(
            "prestashop",
            Traits(person_phone=False, births=True, guests_listed=True, local_times=True),
            {"webservice_key": "WEBSERVICEKEY", "webservice_requests_per_minute": 6_000},
            {"scheme": "basic", "user": "WEBSERVICEKEY"},
            ("1", "0"),
            _prestashop,
            singly=(0, 2, 4),
        ),
        Platform(
            "magento",
            Traits(births=True),
            {"access_token": "the integration's"},
            {"scheme": "bearer", "token": "the integration's"},
            (True, False),
            _magento,
            pages=(300, 300, 300),
        ),
        Platform(
            "vtex",
            Traits(births=True),
            {
                "vtex_account": "exampleaccount",
                "app_key": "key",
                "app_token": "token",
                "requests_per_minute": 6_000,
            },
            {"scheme": "headers", "headers": {"X-VTEX-API-AppKey": "key", "X-VTEX-API-AppToken": "token"}},
            (True, False),
            _vtex,
            pages=(1_000, 250, 100),
            singly=(0, 4, 1),
        ),
        Platform(
            "generic",
            Traits(silent_withdrawal=False, silent_stock=False, orders_go=True, births=True),
            {"api_token": "the shop's", "api_requests_per_minute": 6_000},
            {"scheme": "bearer", "token": "the shop's"},
            ("subscribed", "unsubscribed"),
            _generic,
            pages=(500, 500, 500),
        ),
    )
}
