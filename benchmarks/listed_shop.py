"""A WooCommerce shop with as many customers as are wanted, made while they are listed.

`python -m benchmarks.listed_shop PORT ROWS`: it holds none of them, so it is as fast with a million.
"""

from __future__ import annotations

import asyncio
import sys
from email.utils import formatdate
from urllib.parse import parse_qsl

import uvicorn

from pipeline.observe import Receive, Scope, Send, respond

_ROW = (
    '{"id":%(id)d,"date_created":"2024-05-06T08:00:00","date_created_gmt":"2024-05-06T08:00:00",'
    '"date_modified":"2024-05-06T08:00:00","date_modified_gmt":"2024-05-06T08:00:00",'
    '"email":"reader%(id)d@mail.example","first_name":"Ada","last_name":"Example %(id)d","role":"customer",'
    '"username":"reader%(id)d","billing":{"first_name":"Ada","last_name":"Example %(id)d","company":"",'
    '"address_1":"Street %(id)d","address_2":"","city":"Town","postcode":"12345","country":"ES","state":"M",'
    '"email":"reader%(id)d@mail.example","phone":"+34600%(id)07d"},"shipping":{"first_name":"Ada",'
    '"last_name":"Example %(id)d","company":"","address_1":"Street %(id)d","address_2":"","city":"Town",'
    '"postcode":"12345","country":"ES","state":"M","phone":""},"is_paying_customer":true,'
    '"avatar_url":"https://secure.gravatar.example/avatar/%(id)032x?s=96","meta_data":[]}'
)


class ListedShop:
    """An ASGI app.

    Args:
        rows: of its customers; of all else it has none.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        await receive()
        said = dict(parse_qsl(scope["query_string"].decode()))
        total = self._rows if str(scope["path"]).endswith("/customers") else 0
        start, size = int(said.get("offset", "0")), int(said.get("per_page", "10"))
        listed = ",".join(_ROW % {"id": number + 1} for number in range(start, min(total, start + size)))
        headers = ((b"x-wp-total", str(total).encode()), (b"date", formatdate(usegmt=True).encode()))
        await respond(send, 200, f"[{listed}]".encode(), b"application/json", headers)


def main() -> None:
    """Serve until SIGTERM."""
    port, rows = int(sys.argv[1]), int(sys.argv[2])
    config = uvicorn.Config(
        ListedShop(rows), port=port, lifespan="off", access_log=False, log_level="warning", date_header=False
    )
    asyncio.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
