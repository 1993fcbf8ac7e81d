"""The HTTP client of one Connectif account. It sends; what an answer means for a record is decided above.

The key is sent to the account's own scheme, host and port only.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, BinaryIO, Self
from urllib.parse import quote

import httpx

from pipeline.config import is_loopback
from pipeline.config_accounts import AccountSettings
from pipeline.connectif import forms
from pipeline.connectif.answers import Answer, AnswerKind, Cause, no_answer, read_answer
from pipeline.connectif.blanks import NOTHING_SENT, Blanks, Sent
from pipeline.connectif.bodies import ANSWER_MAX_BYTES, gather, unpack
from pipeline.connectif.downloads import download, download_to
from pipeline.connectif.forms import Form
from pipeline.connectif.imports import ImportType
from pipeline.connectif.network import Network
from pipeline.outgoing import ALLOW_PRIVATE

# At INFO it writes every URL, and a contact's URL is an e-mail address.
logging.getLogger("httpx").setLevel(logging.WARNING)

NOTHING: Mapping[str, str] = MappingProxyType({})
JSON = {"Content-Type": "application/json"}
#: Bytes a second that the slowest uplink sends of a file.
UPLOAD_RATE = 50_000
#: Bytes of an error report: at most, of its head, and of each row.
REPORT_MAX_BYTES, REPORT_HEAD_BYTES, REPORT_ROW_BYTES = 20_000_000, 1_000_000, 4_000
#: The ZIP of an export; a million contacts have some 50 MB. One that goes to the disk may be larger.
EXPORT_MAX_BYTES, EXPORT_MAX_BYTES_ON_DISK = 300_000_000, 2_000_000_000
#: Bytes a second that a large file comes with at least.
DOWNLOAD_RATE = 500_000
#: Characters of a link to another page, at most.
LINK_MAX = 2_000


class ConnectifClient:
    """Calls of one account's API, each one request and one `Answer`; nothing is retried and nothing raised.

    Args:
        account: the account's name in the settings.
        settings: its base URL and key.
        timeout: seconds until a call without an answer is given up; one that sends a file may take longer.
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
        self._origin = _origin(httpx.URL(self._base))
        self._blanks = Blanks(settings.api_key.get_secret_value())
        self._headers = {
            "Authorization": f"apiKey {settings.api_key.get_secret_value()}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
        }
        self._timeout = timeout
        self._private = {ALLOW_PRIVATE: settings.allow_private}
        self._extensions = {"timeout": httpx.Timeout(timeout).as_dict(), **self._private}
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
        sent = Sent((key,), payload, person=True)
        path = _contact_path(key, by_email)
        return await self._send("PATCH", path, forms.CONTACT_WRITTEN, sent, content=payload, headers=JSON)

    async def get_contact(self, key: str, *, by_email: bool = True) -> Answer:
        """Read a contact, found by its e-mail address or its external id."""
        sent = Sent((key,), person=True)
        return await self._send("GET", _contact_path(key, by_email), forms.CONTACT_FOUND, sent)

    async def delete_contact(self, key: str, *, by_email: bool = True) -> Answer:
        """Delete a contact and its activity; its purchases stay."""
        sent = Sent((key,), person=True)
        return await self._send("DELETE", _contact_path(key, by_email), forms.DELETED, sent)

    async def put_product(self, product_id: str, payload: bytes) -> Answer:
        """Create or change a product."""
        sent, path = Sent(payload=payload), _product_path(product_id)
        form = forms.PRODUCT_WRITTEN.of(product_id)
        return await self._send("PATCH", path, form, sent, content=payload, headers=JSON)

    async def get_product(self, product_id: str) -> Answer:
        """Read a product."""
        return await self._send("GET", _product_path(product_id), forms.PRODUCT_FOUND.of(product_id))

    async def delete_product(self, product_id: str) -> Answer:
        """Delete a product and its history for good."""
        return await self._send("DELETE", _product_path(product_id), forms.DELETED)

    async def create_purchase(self, payload: bytes, *, trigger: bool, purchase_id: str = "") -> Answer:
        """Create a purchase; `trigger` lets the workflows that start on a purchase run.

        An answer counts only for the purchase with `purchase_id`; empty: whatever it names.
        """
        path = f"/purchases/?triggerPurchaseEvent={'true' if trigger else 'false'}"
        sent = Sent(payload=payload)
        form = forms.PURCHASE_CREATED.of(purchase_id)
        return await self._send("POST", path, form, sent, content=payload, headers=JSON)

    async def get_purchase(self, purchase_id: str) -> Answer:
        """Read a purchase by the shop's id."""
        form = forms.PURCHASE_FOUND.of(purchase_id)
        return await self._send("GET", _purchase_path(purchase_id), form)

    async def delete_purchase(self, purchase_id: str) -> Answer:
        """Delete a purchase by the shop's id."""
        form = forms.PURCHASE_DELETED.of(purchase_id)
        return await self._send("DELETE", _purchase_path(purchase_id), form)

    async def get_coupon_set(self, set_id: str) -> Answer:
        """A coupon set with its counters, which may be 10 s old."""
        return await self._send("GET", f"/coupon-sets/{_quoted(set_id)}", forms.FOUND.of(set_id))

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
        sent = Sent(file=csv, person=kind is ImportType.CONTACTS)
        seconds = upload_seconds(self._timeout, len(csv))
        return await self._send(
            "POST", "/imports/", forms.CREATED, sent, seconds=seconds, data=form, files=files
        )

    async def get_import(self, import_id: str) -> Answer:
        """How far an import is."""
        return await self._send("GET", f"/imports/{_quoted(import_id)}", forms.FOUND.of(import_id))

    async def list_imports(self, link: str | None = None) -> Answer:
        """The account's imports, newest state; `link` is the `links.next` of the page before."""
        if link is None:
            return await self._send("GET", "/imports/", forms.LISTED)
        url = self._linked(link)
        if url is None:
            return Answer(
                AnswerKind.UNAVAILABLE,
                detail="the next page of the list of imports is at another address than the account's",
                cause=Cause.FOREIGN,
            )
        return await self._send("GET", url, forms.LISTED)

    async def create_contacts_export(self) -> Answer:
        """Queue a file of all contacts."""
        wanted = {"exportType": "contacts", "delimiter": ",", "dateFormat": "ISO"}
        return await self._send("POST", "/exports/", forms.CREATED, json=wanted)

    async def create_purchases_export(self, since: datetime, until: datetime) -> Answer:
        """Queue a file of the activities that are purchases, of 31 days at most."""
        filters = {"fromDate": _iso(since), "toDate": _iso(until), "activityTypes": ["purchase"]}
        wanted = {"exportType": "activities", "delimiter": ",", "dateFormat": "ISO", "filters": filters}
        return await self._send("POST", "/exports/", forms.CREATED, json=wanted)

    async def get_export(self, export_id: str) -> Answer:
        """How far an export is."""
        return await self._send("GET", f"/exports/{_quoted(export_id)}", forms.FOUND.of(export_id))

    async def get_export_file(self, url: str) -> tuple[Answer, bytes]:
        """An export's ZIP: no call of the API, fetched without the key."""
        return await self._download(url, EXPORT_MAX_BYTES)

    async def get_export_file_into(self, file: BinaryIO, url: str) -> Answer:
        """The same, written to a file: one of a busy shop does not fit into memory.

        Raises:
            OSError: the file cannot be written.
        """
        seconds = self._timeout + EXPORT_MAX_BYTES_ON_DISK / DOWNLOAD_RATE
        return await download_to(
            file,
            url,
            transport=self._given,
            seconds=seconds,
            most=EXPORT_MAX_BYTES_ON_DISK,
            local=is_loopback(self._base),
        )

    async def get_error_report(self, url: str, *, rows: int) -> tuple[Answer, bytes]:
        """The file that names an import's refused rows: no call of the API, fetched without the key.

        Args:
            url: where Connectif says that it lies.
            rows: of the file that was sent; a report is not much larger.
        """
        return await self._download(url, _report_size(rows))

    async def _download(self, url: str, most: int) -> tuple[Answer, bytes]:
        # Only a sandbox, which is on this machine itself, may name a file on this machine.
        local = is_loopback(self._base)
        return await download(url, transport=self._given, seconds=self._timeout, most=most, local=local)

    def _linked(self, link: str) -> str | None:
        """The address of a link; None where our key must not go there."""
        try:
            start = self._base if link.startswith("/") and not link.startswith("//") else ""
            url = httpx.URL(f"{self._base}/imports/").join(start + link)
            own = _origin(url) == self._origin and not url.userinfo and len(link) <= LINK_MAX
            return str(url) if own else None
        except (httpx.InvalidURL, ValueError):
            return None

    async def _send(
        self,
        method: str,
        path: str,
        form: Form,
        sent: Sent = NOTHING_SENT,
        *,
        headers: Mapping[str, str] = NOTHING,
        seconds: float | None = None,
        **body: Any,
    ) -> Answer:
        url = self._base + path if path.startswith("/") else path
        clean = functools.partial(self._blanks.clean, sent=sent)
        extensions = self._extensions
        if seconds is not None:
            limits = httpx.Timeout(self._timeout, read=seconds, write=seconds)
            extensions = {"timeout": limits.as_dict(), **self._private}
        try:
            request = httpx.Request(
                method, url, headers={**self._headers, **headers}, extensions=extensions, **body
            )
        except (httpx.InvalidURL, ValueError) as error:
            # An id that no address can hold: nothing that Connectif says will change that.
            return Answer(AnswerKind.INVALID, detail=f"it cannot be sent: {type(error).__name__}")
        try:
            response = await _whole(await self._transport.handle_async_request(request))
        except Exception as error:  # noqa: BLE001 - after any error of the network there is no answer
            return no_answer(error, clean)
        return read_answer(response, self._wall(), form, clean)


def upload_seconds(timeout: float, size: int) -> float:
    """How long a call that sends a file of so many bytes may take: on a slow uplink it is the size."""
    return timeout + size / UPLOAD_RATE


async def _whole(response: httpx.Response) -> httpx.Response:
    """A response with its body, bounded; `Network` gives no others."""
    if response.is_closed:
        return response
    content = await gather(response.aiter_raw(), ANSWER_MAX_BYTES)
    await response.aclose()
    headers = response.headers.copy()
    content = unpack(content, headers.pop("content-encoding", ""), ANSWER_MAX_BYTES)
    return httpx.Response(response.status_code, headers=headers, content=content)


def _iso(moment: datetime) -> str:
    """A moment as the API takes it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port, the usual port named."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _report_size(rows: int) -> int:
    """Bytes a report of so many rows may have: the rows, a message on each, and a head."""
    return min(REPORT_MAX_BYTES, REPORT_HEAD_BYTES + rows * REPORT_ROW_BYTES)


def _quoted(value: str) -> str:
    """One path segment; dots alone would be taken for a parent directory."""
    return quote(value, safe="") if value.strip(".") else value.replace(".", "%2E")


def _contact_path(key: str, by_email: bool) -> str:
    return f"/contacts/{'email' if by_email else 'external-id'}/{_quoted(key)}"


def _product_path(product_id: str) -> str:
    return f"/products/product-id/{_quoted(product_id)}"


def _purchase_path(purchase_id: str) -> str:
    return f"/purchases/purchase-id/{_quoted(purchase_id)}"
