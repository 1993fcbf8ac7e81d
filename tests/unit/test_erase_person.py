"""Who is meant by an address, and which events are theirs."""

from __future__ import annotations

from typing import Any

import orjson

from pipeline.erase.person import Person, Search
from pipeline.events import Kind
from pipeline.shops.platform import PersonFields

FIELDS = PersonFields(orders=(("orders_to_redact",),))
Event = tuple[Kind, str, dict[str, Any]]


def theirs(person: Person, *events: Event) -> tuple[list[int], Search]:
    """The numbers of the events that are the person's."""
    search = Search(person)
    while True:
        found = [
            number
            for number, (kind, entity, body) in enumerate(events)
            if search.is_theirs(kind, entity, orjson.dumps(body), FIELDS)
        ]
        mentions = search.mentions
        if not search.learn():
            search.mentions = mentions
            return found, search


def customer(entity: str, email: str, **more: Any) -> Event:
    return Kind.CUSTOMER, entity, {"id": int(entity), "email": email, **more}


def order(entity: str, email: str = "", by: str = "", **more: Any) -> Event:
    body = {"id": int(entity), "email": email, "customer": {"id": int(by), "email": email} if by else None}
    return Kind.ORDER, entity, body | more


def test_an_address_means_its_customer_with_all_orders_and_earlier_addresses() -> None:
    person = Person("acme", asked={"ann@x.example"})
    found, search = theirs(
        person,
        customer("1", "old@x.example"),
        customer("1", "Ann@X.example"),
        order("11", "old@x.example"),
        order("12", "", by="1"),
        customer("2", "bob@x.example"),
        order("21", "bob@x.example", by="2"),
    )
    assert found == [0, 1, 2, 3]
    assert (person.customers, person.learned) == ({"1"}, {"old@x.example"})
    assert search.mentions == 0


def test_guests_are_known_by_the_address_alone() -> None:
    found, _ = theirs(
        Person("acme", asked={"ann@x.example"}),
        order("11", " ANN@x.example "),
        order("12", billing={"email": "ann@x.example"}),
        order("13", "joann@x.example"),
    )
    assert found == [0, 1]


def test_an_address_that_changed_hands_means_who_has_it_today() -> None:
    person = Person("acme", asked={"shared@x.example"})
    found, search = theirs(
        person,
        customer("1", "shared@x.example"),
        order("11", "shared@x.example", by="1"),
        customer("1", "moved@x.example"),
        customer("2", "shared@x.example"),
        order("21", "shared@x.example", by="2"),
    )
    assert found == [3, 4]
    assert person.customers == {"2"}
    assert search.mentions == 2


def test_a_former_address_that_another_customer_has_by_now_is_left_to_them() -> None:
    person = Person("acme", asked={"ann@x.example"})
    found, _ = theirs(
        person,
        customer("1", "shared@x.example"),
        customer("1", "ann@x.example"),
        customer("2", "shared@x.example"),
        order("21", "shared@x.example", by="2"),
        order("22", "shared@x.example"),
    )
    assert found == [0, 1]
    assert person.addresses == {"ann@x.example"}


def test_somebody_who_only_orders_for_another_keeps_their_account() -> None:
    person = Person("acme", asked={"bob@x.example"})
    found, _ = theirs(
        person,
        customer("5", "alice@x.example"),
        order("51", "", customer_id=5, billing={"email": "bob@x.example"}, customer={}),
        order("52", "alice@x.example", by="5"),
    )
    assert found == [1]
    assert person.customers == set()


def test_a_note_that_mentions_the_address_is_counted_and_left() -> None:
    found, search = theirs(
        Person("acme", asked={"ann@x.example"}),
        order("11", "bob@x.example", note="a gift for ann@x.example"),
        order("12", "ann@x.example"),
    )
    assert found == [1]
    assert search.mentions == 1


def test_a_shop_names_the_account_and_the_orders() -> None:
    person = Person("acme", asked={"ann@x.example"}, customers={"1"})
    found, _ = theirs(
        person,
        (Kind.CUSTOMER, "1", {"customer": {"id": 1, "email": "ann@x.example"}, "orders_to_redact": [99]}),
        (Kind.ORDER, "99", {"id": 99}),
        customer("2", "ann@x.example"),
    )
    assert found == [0, 1]
    assert person.customers == {"1"}


def test_a_body_that_cannot_be_read_is_theirs_where_it_holds_their_address() -> None:
    search = Search(Person("acme", asked={"ann@x.example"}))
    assert search.is_theirs(Kind.ORDER, "h1", b'{"email": "ann@x.example"', FIELDS)
    assert not search.is_theirs(Kind.ORDER, "h2", b'{"email": "bob@x.example"', FIELDS)


def test_an_address_with_letters_that_json_writers_escape_is_found() -> None:
    search = Search(Person("acme", asked={"müller@x.example"}))
    assert search.is_theirs(Kind.ORDER, "1", b'{"email":"m\\u00fcller@x.example"}', FIELDS)
    assert search.is_theirs(Kind.ORDER, "2", '{"email":"Müller@x.example"}'.encode(), FIELDS)


def test_everybody_of_a_store_is_everybody() -> None:
    search = Search(Person("acme", everybody=True))
    assert search.is_theirs(Kind.PRODUCT, "1", b"", FIELDS)
    assert not search.learn()


def test_fields_are_found_in_an_envelope_and_anywhere_where_a_platform_says_so() -> None:
    enveloped = PersonFields(roots=((), ("data", "value")))
    search = Search(Person("acme", asked={"ann@x.example"}))
    body = orjson.dumps({"event_id": "1", "data": {"value": {"id": 1, "customer_email": "ann@x.example"}}})
    assert search.is_theirs(Kind.ORDER, "1", body, enveloped)
    assert not search.is_theirs(Kind.ORDER, "2", body, FIELDS)
    anywhere = PersonFields(anywhere=True)
    assert search.is_theirs(Kind.ORDER, "3", body, anywhere)
    assert not search.is_theirs(
        Kind.ORDER, "4", b'{"note": "joann@x.example!"}'.replace(b"joann", b"bob"), anywhere
    )


def test_what_was_fetched_is_theirs_by_the_documents_in_it() -> None:
    def answered(*bodies: Any) -> dict[str, Any]:
        listed = [{"request": "/api", "status": 200, "body": body} for body in bodies]
        return {"documents": [*listed, None, {"request": "/api", "status": 404}]}

    found, _ = theirs(
        Person("acme", asked={"ann@x.example"}),
        (Kind.CUSTOMER, "1", answered({"email": "ann@x.example"})),
        (Kind.ORDER, "11", answered({"customer_id": 1, "customer_email": "old@x.example"})),
        (Kind.ORDER, "12", answered({"items": [{"customer_email": "ann@x.example"}], "total_count": 1})),
        (Kind.ORDER, "13", answered({"id": 13}, {"customer": {"id": 1, "email": "ann@x.example"}})),
        (Kind.ORDER, "14", answered({"customer_email": "bob@x.example", "note": "for ann@x.example"})),
    )
    assert found == [0, 1, 2, 3]
