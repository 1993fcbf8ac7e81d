"""The HTTP client of one Connectif account. It sends; what an answer means for a record is decided above."""

from __future__ import annotations

import asyncio
import enum
import logging
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx

from pipeline.config import AccountSettings
from pipeline.connectif.answers import Answer, AnswerKind, no_answer, read_answer
from pipeline.connectif.network import Network

# At INFO it writes every URL, and a contact's URL is an e-mail address.
logging.getLogger("httpx").setLevel(logging.WARNING)

NOTHING: Mapping[str, str] = MappingProxyType({})
JSON = {"Content-Type": "application/json"}
#: An error report names rows of a file of 50 MB at most; more is not one.
REPORT_MAX_BYTES = 100_000_000
#: The ZIP of an export; a million contacts have some 50 MB.
EXPORT_MAX_BYTES = 300_000_000


class ImportType(enum.StrEnum):
    """The elements an import takes."""

    CONTACTS = "contacts"
    PRODUCTS = "products"
    COUPONS = "coupons"


class ConnectifClient:
    """Calls of one account's API, each one request and one `Answer`; nothing is retried and nothing raised.

    Args:
        account: the account's name in the settings.
        settings: its base URL and key.
        timeout: seconds until a call without an answer is given up.
        transport: where requests go; None is the network.
        wall: epoch seconds.
    """

    def __init__(
        self,
        account: str,
        settings: AccountSettings,
        *,
        timeout: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.account = account
        self._wall = wall
        self._base = settings.base_url.rstrip("/")
        self._host = urlsplit(self._base)[:2]
        self._headers = {
            "Authorization": f"apiKey {settings.api_key.get_secret_value()}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
        }
        self._timeout = httpx.Timeout(timeout)
        self._extensions = {"timeout": self._timeout.as_dict()}
        self._given = transport
        self._transport = transport or Network()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; another call opens others."""
        await self._transport.aclose()

    async def put_contact(self, key: str, payload: bytes, *, by_email: bool = True) -> Answer:
        """Create or change a contact, found by its e-mail address or its external id."""
        return await self._send("PATCH", _contact_path(key, by_email), content=payload, headers=JSON)

    async def get_contact(self, key: str, *, by_email: bool = True) -> Answer:
        """Read a contact, found by its e-mail address or its external id."""
        return await self._send("GET", _contact_path(key, by_email))

    async def delete_contact(self, key: str, *, by_email: bool = True) -> Answer:
        """Delete a contact and its activity; its purchases stay."""
        return await self._send("DELETE", _contact_path(key, by_email))

    async def put_product(self, product_id: str, payload: bytes) -> Answer:
        """Create or change a product."""
        return await self._send("PATCH", _product_path(product_id), content=payload, headers=JSON)

    async def get_product(self, product_id: str) -> Answer:
        """Read a product."""
        return await self._send("GET", _product_path(product_id))

    async def delete_product(self, product_id: str) -> Answer:
        """Delete a product and its history for good."""
        return await self._send("DELETE", _product_path(product_id))

    async def create_purchase(self, payload: bytes, *, trigger: bool) -> Answer:
        """Create a purchase; `trigger` lets the workflows that start on a purchase run."""
        path = f"/purchases/?triggerPurchaseEvent={'true' if trigger else 'false'}"
        return await self._send("POST", path, content=payload, headers=JSON)

    async def get_purchase(self, purchase_id: str) -> Answer:
        """Read a purchase by the shop's id."""
        return await self._send("GET", _purchase_path(purchase_id))

    async def delete_purchase(self, purchase_id: str) -> Answer:
        """Delete a purchase by the shop's id."""
        return await self._send("DELETE", _purchase_path(purchase_id))

    async def get_coupon_set(self, set_id: str) -> Answer:
        """A coupon set with its counters, which may be 10 s old."""
        return await self._send("GET", f"/coupon-sets/{_quoted(set_id)}")

    async def create_import(
        self, kind: ImportType, csv: bytes, *, coupon_set_id: str | None = None
    ) -> Answer:
        """Queue a file of rows; given columns replace what is stored, others stay."""
        form = {
            "type": kind.value,
            "delimiter": ",",
            "overrideExisting": "true",
            "updateOnlyEmptyFields": "false",
        }
        if coupon_set_id is not None:
            form["couponSetId"] = coupon_set_id
        files = {"file": (f"{kind}.csv", csv, "text/csv")}
        return await self._send("POST", "/imports/", data=form, files=files)

    async def get_import(self, import_id: str) -> Answer:
        """How far an import is."""
        return await self._send("GET", f"/imports/{_quoted(import_id)}")

    async def list_imports(self, link: str | None = None) -> Answer:
        """The account's imports, newest state; `link` is the `links.next` of the page before."""
        if link is not None and urlsplit(link)[:2] not in (("", ""), self._host):
            return Answer(AnswerKind.UNAVAILABLE, detail="the next page lies on another host")
        return await self._send("GET", link or "/imports/")

    async def create_contacts_export(self) -> Answer:
        """Queue a file of all contacts."""
        wanted = {"exportType": "contacts", "delimiter": ",", "dateFormat": "ISO"}
        return await self._send("POST", "/exports/", json=wanted)

    async def get_export(self, export_id: str) -> Answer:
        """How far an export is."""
        return await self._send("GET", f"/exports/{_quoted(export_id)}")

    async def get_export_file(self, url: str) -> tuple[Answer, bytes]:
        """An export's ZIP: no call of the API, and no key goes with it."""
        return await self._download(url, EXPORT_MAX_BYTES)

    async def get_error_report(self, url: str) -> tuple[Answer, bytes]:
        """The file that names an import's refused rows: no call of the API, and no key goes with it."""
        return await self._download(url, REPORT_MAX_BYTES)

    async def _download(self, url: str, most: int) -> tuple[Answer, bytes]:
        # The file lies on another host, which must never see the key.
        plain = httpx.AsyncClient(transport=self._given, timeout=self._timeout, follow_redirects=True)
        try:
            async with plain, asyncio.timeout(self._timeout.read), plain.stream("GET", url) as response:
                body = bytearray()
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > most:
                        return Answer(AnswerKind.INVALID, detail="the file is too large"), b""
                kind = AnswerKind.OK if response.is_success else AnswerKind.UNAVAILABLE
                return Answer(kind, response.status_code), bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return no_answer(error), b""

    async def _send(
        self, method: str, path: str, *, headers: Mapping[str, str] = NOTHING, **body: Any
    ) -> Answer:
        url = path if path.startswith("http") else self._base + path
        try:
            request = httpx.Request(
                method, url, headers={**self._headers, **headers}, extensions=self._extensions, **body
            )
            response = await self._transport.handle_async_request(request)
            await response.aread()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return no_answer(error)
        return read_answer(response, self._wall())


def _quoted(value: str) -> str:
    """One path segment; dots alone would be taken for a way up."""
    return quote(value, safe="") if value.strip(".") else value.replace(".", "%2E")


def _contact_path(key: str, by_email: bool) -> str:
    return f"/contacts/{'email' if by_email else 'external-id'}/{_quoted(key)}"


def _product_path(product_id: str) -> str:
    return f"/products/product-id/{_quoted(product_id)}"


def _purchase_path(purchase_id: str) -> str:
    return f"/purchases/purchase-id/{_quoted(purchase_id)}"
