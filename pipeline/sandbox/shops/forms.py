"""How the APIs of the platforms read and write newsletters, each as its documents say it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

from pipeline.sandbox.shops.newsletter import Form, Newsletter, Person
from pipeline.sandbox.shops.shop import Answer
from pipeline.sandbox.shops.shopify import Bucket, throttled

#: In requests of GraphQL that ask for a customer's consent, or write it.
_OF_CONSENT = (b"customerByIdentifier", b"customerEmailMarketingConsentUpdate")


class ShopRequest(NamedTuple):
    """A request to a shop's API; `path` without its query."""

    method: str
    path: str
    query: str
    body: bytes
    now: float
    #: Whether the shop has lists of its own, which answer what names nobody.
    lists: bool = False

    def asked(self, name: str) -> str:
        """A parameter; "" where it is not there."""
        return parse_qs(self.query).get(name, [""])[0]


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def shopify(held: Newsletter, request: ShopRequest) -> Answer | None:
    """One address of GraphQL for all."""
    if request.method != "POST" or not request.path.endswith("/graphql.json"):
        return None
    said = json.loads(request.body)
    variables = said["variables"]
    if "customerByIdentifier" in said["query"]:
        found = held.by_email(variables["email"])
        return Answer(body={"data": {"customerByIdentifier": _customer(found[0]) if found else None}})
    if "customerEmailMarketingConsentUpdate" not in said["query"]:
        return None
    given = variables["input"]
    person = held.by_id(given["customerId"].rpartition("/")[2])
    consent = given["emailMarketingConsent"]
    if person is None or consent["marketingState"] not in {"SUBSCRIBED", "UNSUBSCRIBED", "PENDING"}:
        errors = [{"field": ["input"], "message": "Not valid", "code": "INVALID"}]
        return Answer(
            body={"data": {"customerEmailMarketingConsentUpdate": {"customer": None, "userErrors": errors}}}
        )
    at = _seconds(consent["consentUpdatedAt"]) if "consentUpdatedAt" in consent else None
    held.write(person, consent["marketingState"] == "SUBSCRIBED", request.now, at)
    payload = {"customer": _customer(person), "userErrors": []}
    return Answer(body={"data": {"customerEmailMarketingConsentUpdate": payload}})


def _customer(person: Person) -> dict[str, Any]:
    state = "NOT_SUBSCRIBED" if person.state == "none" else person.state.upper()
    address = {
        "emailAddress": person.email,
        "marketingState": state,
        "marketingOptInLevel": None,
        "marketingUpdatedAt": _iso(person.at),
    }
    return {"id": f"gid://shopify/Customer/{person.id}", "defaultEmailAddress": address}


_MAILCHIMP = "mailchimp_woocommerce_is_subscribed"
_WORDS = {"subscribed": "1", "unsubscribed": "unsubscribed", "pending": "pending"}


def woocommerce(held: Newsletter, request: ShopRequest) -> Answer | None:
    """Customers with the fields of Mailchimp's plugin; guests are none."""
    before, slash, rest = request.path.partition("/wp-json/wc/v3/customers")
    if before or not slash:
        return None
    if request.method == "GET" and not rest:
        if request.lists and not request.asked("email"):
            return None
        people = [one for one in held.by_email(request.asked("email")) if not one.guest]
        return Answer(body=[_user(one, held) for one in people])
    person = held.by_id(rest.strip("/"))
    if person is None or person.guest:
        return Answer(status=404, body={"code": "woocommerce_rest_invalid_id"})
    if request.method == "PUT":
        fields = {one["key"]: one["value"] for one in json.loads(request.body).get("meta_data", [])}
        if _MAILCHIMP in fields:
            held.write(person, fields[_MAILCHIMP] in {"1", "subscribed"}, request.now)
    return Answer(body=_user(person, held))


def _user(person: Person, held: Newsletter) -> dict[str, Any]:
    meta = [{"id": 1, "key": "other", "value": {"a": 1}}]
    if held.settings.field and person.state != "none":
        meta.append({"id": 2, "key": _MAILCHIMP, "value": _WORDS[person.state]})
    return {"id": int(person.id), "email": person.email, "role": "customer", "meta_data": meta}


def prestashop(held: Newsletter, request: ShopRequest) -> Answer | None:
    """Rows of customers; writes are XML, and a guest's row is refused."""
    before, slash, rest = request.path.partition("/api/customers")
    if before or not slash:
        return None
    if request.method == "GET" and not rest:
        if request.lists and not request.asked("filter[email]"):
            return None
        rows = [_row(one) for one in held.by_email(request.asked("filter[email]").strip("[]"))]
        return Answer(body={"customers": rows} if rows else [])
    person = held.by_id(rest.strip("/"))
    if person is None:
        return _error(404, 7)
    if request.method == "GET":
        return Answer(body={"customer": _row(person)})
    return _change(held, person, request)


def _change(held: Newsletter, person: Person, request: ShopRequest) -> Answer:
    if request.method == "PATCH" and not held.settings.patch:
        return _error(405, 23)
    return _error(500, 141) if person.guest else _write_row(held, person, request)


def _write_row(held: Newsletter, person: Person, request: ShopRequest) -> Answer:
    customer = ET.fromstring(request.body).find("customer")  # noqa: S314 - a client on this machine
    fields = {} if customer is None else {one.tag: one.text or "" for one in customer}
    needed = {"id"} if request.method == "PATCH" else {"id", "passwd", "lastname", "firstname", "email"}
    if not needed <= fields.keys():
        return _error(400, 41)
    if "newsletter" in fields:
        held.write(person, fields["newsletter"] == "1", request.now)
    return Answer(body={"customer": _row(person)})


def _error(status: int, code: int) -> Answer:
    return Answer(status=status, body={"errors": [{"code": code, "message": "no"}]})


def _row(person: Person) -> dict[str, Any]:
    return {
        "id": int(person.id),
        "email": person.email,
        "newsletter": "1" if person.state == "subscribed" else "0",
        "newsletter_date_add": "0000-00-00 00:00:00",
        "is_guest": "1" if person.guest else "0",
        "deleted": "0",
        "id_shop": "1",
        "passwd": "hash",
        "lastname": "Example",
        "firstname": "Ada",
        "associations": {"groups": [{"id": "3"}]},
    }


def magento(held: Newsletter, request: ShopRequest) -> Answer | None:
    """Customers; where a subscription must be confirmed, reads say no until it is."""
    found = re.fullmatch(r"(?:/rest/\w+)?/V1/customers/(search|[0-9]+)", request.path)
    if found is None:
        return None
    if found[1] == "search":
        name = "searchCriteria[filterGroups][0][filters][0][value]"
        people = [one for one in held.by_email(request.asked(name)) if not one.guest]
        items = [_of_website(one, held) for one in people]
        return Answer(body={"items": items, "search_criteria": {}, "total_count": len(items)})
    person = held.by_id(found[1])
    if person is None:
        return Answer(status=404, body={"message": "No such entity."})
    if request.method == "PUT":
        customer = json.loads(request.body)["customer"]
        if not {"email", "firstname", "lastname", "store_id"} <= customer.keys() or "addresses" in customer:
            return Answer(status=400, body={"message": "not valid"})
        said = customer.get("extension_attributes", {}).get("is_subscribed")
        if said is not None:
            held.write(person, said, request.now)
    return Answer(body=_of_website(person, held))


def _of_website(person: Person, held: Newsletter) -> dict[str, Any]:
    flag = {"is_subscribed": person.state == "subscribed"} if held.settings.field else {}
    return {
        "id": int(person.id),
        "email": person.email,
        "firstname": "Ada",
        "lastname": "Example",
        "website_id": 1,
        "store_id": 1,
        "group_id": 1,
        "addresses": [{"id": 9}],
        "extension_attributes": flag,
    }


def vtex(held: Newsletter, request: ShopRequest) -> Answer | None:
    """Documents of clients; a write that changes nothing is answered 304."""
    before, slash, rest = request.path.partition("/api/dataentities/CL/")
    if before or not slash:
        return None
    if rest == "search":
        return Answer(body=[_document(one) for one in held.by_email(request.asked("email"))])
    if rest == "documents" and request.method == "POST":
        said = json.loads(request.body)
        made = held.make(said["email"], bool(said["isNewsletterOptIn"]), request.now)
        return Answer(body={"Id": f"CL-{made.id}"})
    person = held.by_id(rest.removeprefix("documents/"))
    return Answer(status=404, body={}) if person is None else _client(held, person, request)


def _client(held: Newsletter, person: Person, request: ShopRequest) -> Answer:
    if request.method == "PATCH":
        wanted = bool(json.loads(request.body)["isNewsletterOptIn"])
        if person.state == ("subscribed" if wanted else "unsubscribed"):
            return Answer(status=304, text="")
        held.write(person, wanted, request.now)
        return Answer(body={"Id": f"CL-{person.id}"})
    return Answer(body=_document(person))


def _document(person: Person) -> dict[str, Any]:
    opted_in = None if person.state == "none" else person.state == "subscribed"
    return {"id": person.id, "email": person.email, "isNewsletterOptIn": opted_in}


def generic(held: Newsletter, request: ShopRequest) -> Answer | None:
    """Our own contract: by address, with the moment of the decision."""
    if not request.path.endswith("/consent"):
        return None
    said = json.loads(request.body) if request.method == "PUT" else {"email": request.asked("email")}
    found = held.by_email(said["email"])
    if not found:
        return Answer(status=404, body={"error": "unknown_email"})
    person = found[0]
    if request.method == "PUT":
        at = _seconds(said["updated_at"])
        if person.at is not None and at < person.at:
            return Answer(status=409, body=_said(person))
        held.write(person, said["state"] == "subscribed", request.now, at)
    return Answer(body=_said(person))


def _said(person: Person) -> dict[str, Any]:
    state = {"none": "unknown", "pending": "not_subscribed"}.get(person.state, person.state)
    return {"email": person.email, "state": state, "updated_at": _iso(person.at)}


_FORMS: Mapping[Form, Callable[[Newsletter, ShopRequest], Answer | None]] = {
    "shopify": shopify,
    "woocommerce": woocommerce,
    "prestashop": prestashop,
    "magento": magento,
    "vtex": vtex,
    "generic": generic,
}


def answer(held: Newsletter, request: ShopRequest, bucket: Bucket | None = None) -> Answer | None:
    """What the API answers; None where the request is not about newsletters, or cannot be read.

    Args:
        held: the newsletters.
        request: what is asked.
        bucket: the points of a shop that counts them: objects cost one, a mutation ten.
    """
    try:
        if bucket is None or not any(name in request.body for name in _OF_CONSENT):
            return _FORMS[held.settings.form](held, request)
        cost = 12.0 if b"mutation" in request.body else 2.0
        if not bucket.takes(cost, request.now):
            return Answer(body=throttled(cost, bucket, request.now).body)
        said = _FORMS[held.settings.form](held, request)
        costs = {"extensions": {"cost": bucket.cost(cost, request.now)}}
        return None if said is None else said.model_copy(update={"body": {**said.body, **costs}})
    except (ValueError, KeyError, TypeError, ET.ParseError):
        return Answer(status=400, body={"message": "the request cannot be read"})
