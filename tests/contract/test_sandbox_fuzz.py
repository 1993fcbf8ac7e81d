"""Whatever a client sends, the sandbox has an answer: an exception of its own would end the call here."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.connectif_sandbox import EMAIL, LINE, PRODUCT, PURCHASE, running

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def _mutations(body: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The body with some of its fields replaced by anything, and others besides."""
    changes = st.dictionaries(st.sampled_from(sorted(body)) | st.text(), JSON, max_size=3)
    return changes.map(lambda changed: {**body, **changed})


CONTACT = {
    "_name": "Ana",
    "_birthdate": "1990-05-01",
    "_points": 3,
    "_externalId": "x",
    "_emailStatus": "active",
}
EXPORT = {
    "exportType": "activities",
    "delimiter": ",",
    "dateFormat": "ISO",
    "filters": {"fromDate": "2023-11-01", "toDate": "2023-11-02"},
}


@settings(max_examples=40, deadline=None)
@given(
    purchase=_mutations(PURCHASE),
    line=_mutations(LINE),
    product=_mutations(PRODUCT),
    contact=_mutations(CONTACT),
    export=_mutations(EXPORT),
    filters=_mutations(EXPORT["filters"]),  # type: ignore[arg-type]
    anything=JSON,
)
def test_no_json_body_goes_unanswered(
    *,
    purchase: dict[str, Any],
    line: dict[str, Any],
    product: dict[str, Any],
    contact: dict[str, Any],
    export: dict[str, Any],
    filters: dict[str, Any],
    anything: Any,
) -> None:
    async def run() -> None:
        async with running() as api:
            await api.prepare()
            for method, path, body in (
                ("PATCH", f"/contacts/email/{EMAIL}", contact),
                ("PATCH", "/contacts/external-id/x", contact),
                ("PATCH", "/products/product-id/p1", product),
                ("POST", "/purchases/", purchase),
                ("POST", "/purchases/", {**PURCHASE, "products": [line]}),
                ("POST", "/exports/", export),
                ("POST", "/exports/", {**EXPORT, "filters": filters}),
                ("POST", "/contact-fields/", {"id": "a", "type": "radio", "options": anything}),
                ("POST", "/custom-event-types/", {"name": "a", "category": "send", "fields": anything}),
                ("POST", "/purchases/", anything),
                ("PATCH", f"/contacts/{EMAIL}", anything),
                ("POST", "/custom-integrations/", anything),
                ("GET", f"/contacts/{EMAIL}", None),
                ("GET", "/purchases/purchase-id/1001", None),
            ):
                answer = await api.call(method, path, json=body)
                assert answer.status_code in (200, 201, 400, 404, 409, 422)

    asyncio.run(run())


CELLS = st.text(alphabet=st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    [EMAIL, "p1", "10.5", "https://acme.example/x", "true", "", '"', "a|b", "1990-05-01", "+34600111222"]
)
HEADERS = st.sampled_from(
    [
        "_email",
        "_points",
        "_mobilePhone",
        "productId",
        "name",
        "productDetailUrl",
        "unitPrice",
        "tags",
        "code",
    ]
)


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["contacts", "products"]),
    header=st.lists(HEADERS, max_size=6),
    rows=st.lists(st.lists(CELLS, max_size=6), max_size=5),
    raw=st.binary(max_size=200),
)
def test_no_file_leaves_an_import_unfinished(
    kind: str, header: list[str], rows: list[list[str]], raw: bytes
) -> None:
    text = "\n".join(",".join(cells) for cells in [header, *rows])

    async def run() -> None:
        async with running() as api:
            for content in (text.encode(), raw):
                created = await api.upload(content, kind)
                assert created.status_code == 201
                await api.clock.advance(60)
                shown = (await api.get(f"/imports/{created.json()['id']}")).json()
                assert shown["status"] in ("finished", "error")
                if shown["status"] == "finished":
                    assert shown["success"] + shown["errors"] == shown["total"]

    asyncio.run(run())


@settings(max_examples=40, deadline=None)
@given(path=st.lists(st.text(max_size=8), max_size=4), query=st.text(max_size=20))
@example(path=["", "", "", ""], query="")
def test_no_path_goes_unanswered(path: list[str], query: str) -> None:
    async def run() -> None:
        async with running() as api:
            encoded = "/".join("".join(f"%{byte:02x}" for byte in part.encode()) for part in path)
            for prefix in ("/contacts/", "/products/", "/imports/", "/_files/", "/"):
                answer = await api.get(f"http://sandbox{prefix}{encoded}", params={"page": query})
                assert answer.status_code < 500

    asyncio.run(run())
