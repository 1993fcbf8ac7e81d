"""A sandbox in process, on a virtual clock, and a client that speaks to it as to the real API."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx

from pipeline.config import parse
from pipeline.sandbox.connectif.http.app import ConnectifSandbox
from pipeline.sandbox.connectif.http.transport import SandboxTransport
from pipeline.sandbox.connectif.simulation.clock import VirtualClock

KEY = "keyid:keysecret"
OTHER_KEY = "otherid:othersecret"
DOMAIN = "https://acme.example"
EMAIL = "ana@mail.example"

LINE = {
    "productId": "p1",
    "name": "Cup",
    "productDetailUrl": f"{DOMAIN}/cup",
    "unitPrice": 10.5,
    "quantity": 2,
    "price": 21.0,
}
PURCHASE = {
    "purchaseId": "1001",
    "contactEmail": EMAIL,
    "cartId": "cart-1",
    "purchaseDate": "2026-01-05T10:00:00Z",
    "totalPrice": 21.0,
    "totalQuantity": 2,
    "paymentMethod": "card",
    "products": [LINE],
}
PRODUCT = {"name": "Cup", "productDetailUrl": f"{DOMAIN}/cup", "unitPrice": 10.5}


class Api:
    """The client's side of a sandbox."""

    def __init__(self, sandbox: ConnectifSandbox, clock: VirtualClock, client: httpx.AsyncClient) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.client = client

    async def call(self, method: str, path: str, key: str | None = KEY, **request: Any) -> httpx.Response:
        """One call with a key."""
        headers = dict(request.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"apiKey {key}"
        return await self.client.request(method, path, headers=headers, **request)

    async def get(self, path: str, **request: Any) -> httpx.Response:
        return await self.call("GET", path, **request)

    async def post(self, path: str, body: Any = None, **request: Any) -> httpx.Response:
        return await self.call("POST", path, json=body, **request)

    async def patch(self, path: str, body: Any, **request: Any) -> httpx.Response:
        return await self.call("PATCH", path, json=body, **request)

    async def delete(self, path: str, **request: Any) -> httpx.Response:
        return await self.call("DELETE", path, **request)

    async def prepare(self, **changes: Any) -> dict[str, Any]:
        """Make what a purchase needs; a purchase's body with the changes."""
        assert (await self.patch(f"/contacts/email/{EMAIL}", {"_name": "Ana"})).status_code == 200
        assert (await self.patch("/products/product-id/p1", PRODUCT)).status_code == 200
        return {**PURCHASE, **changes}

    async def buy(self, **changes: Any) -> dict[str, Any]:
        """Create a purchase and what it needs; the answer's body."""
        answer = await self.post("/purchases/", await self.prepare(**changes))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def upload(
        self,
        csv: str | bytes,
        kind: str = "contacts",
        *,
        filename: str = "file.csv",
        **fields: str,
    ) -> httpx.Response:
        """Create an import."""
        form = {"type": kind, "delimiter": ",", "overrideExisting": "true", "updateOnlyEmptyFields": "false"}
        content = csv.encode() if isinstance(csv, str) else csv
        files = {"file": (filename, content, "text/csv")}
        return await self.call("POST", "/imports", data={**form, **fields}, files=files)

    async def imported(self, csv: str, kind: str = "contacts", **fields: str) -> dict[str, Any]:
        """Create an import, wait until it is over, and return it."""
        created = await self.upload(csv, kind, **fields)
        assert created.status_code == 201, created.text
        await self.clock.advance(60)
        return dict((await self.get(f"/imports/{created.json()['id']}")).json())

    async def report(self, finished: dict[str, Any]) -> str:
        """The error report of an import, fetched without the key."""
        answer = await self.client.get(finished["errorReportFileUrl"])
        assert answer.status_code == 200
        return answer.text

    async def control(self, method: str, name: str, body: Any = None, **request: Any) -> Any:
        """Ask something of the sandbox itself."""
        json = {} if body is None else {"json": body}
        answer = await self.client.request(method, f"/_sandbox/{name}", **json, **request)
        assert answer.is_success, answer.text
        return answer.json()

    async def switch(self, **values: Any) -> None:
        """Change switches while it runs."""
        await self.control("POST", "switches", values)

    async def stats(self, account: str = "acme-es") -> dict[str, Any]:
        """The counts of an account."""
        return dict((await self.control("GET", "stats"))["accounts"][account])


@contextlib.asynccontextmanager
async def running(
    *,
    speed: float = 1.0,
    calls_per_minute: int = 1_000,
    calls_kept: int = 200_000,
    seed: int = 0,
    callback_transport: httpx.AsyncBaseTransport | None = None,
    **switches: Any,
) -> AsyncIterator[Api]:
    """A sandbox of two accounts."""
    account = {"base_url": "http://localhost", "calls_per_minute": calls_per_minute}
    settings = parse(
        {
            "accounts": {
                "acme-es": {**account, "api_key": KEY, "authorised_domains": [DOMAIN], "currency": "EUR"},
                "acme-fr": {**account, "api_key": OTHER_KEY},
            },
            "sandbox": {"speed": speed, "calls_kept": calls_kept, "switches": switches},
        },
        {},
    )
    clock = VirtualClock()
    sandbox = ConnectifSandbox(settings, clock=clock, seed=seed, callback_transport=callback_transport)
    async with httpx.AsyncClient(
        transport=SandboxTransport(sandbox), base_url="http://sandbox", timeout=30.0
    ) as client:
        yield Api(sandbox, clock, client)
