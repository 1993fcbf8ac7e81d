"""The gateway, on a socket: any bytes, and signed bodies of every platform. Never a 5xx, never a crash."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from pipeline import config
from pipeline.gateway.app import Gateway
from pipeline.gateway.callbacks import Callbacks
from pipeline.gateway.fast_path import fast_path_protocol
from pipeline.gateway.run import http_server
from pipeline.gateway.webhooks import Webhooks
from pipeline.listening import bound_socket
from pipeline.shops.registry import PLATFORMS
from tests.contract.platform_events import bodies_of, raw
from tests.platforms import IN_TESTS
from tests.settings_trees import store_tree, stores_tree
from tests.shop_bodies import Article, Person, Sale
from tests.unit.gateway_app import RecordingKeeper
from tests.webhooks import SECRET, http, order, shopify

TOKEN = "callback-token-of-thirty-two-letters"
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
#: Seconds after which a connection that is neither answered nor closed counts as a fault.
_PATIENCE = 20.0


class _Running:
    """A gateway that listens for as long as the process lives."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.errors: list[str] = []
        self.loop.set_exception_handler(lambda _, said: self.errors.append(str(said)))
        stores = {
            name: store_tree(name, secrets=[SECRET], **_plain(name), id_prefix=f"{name}-")
            for name in PLATFORMS
        }
        stores["shopify"]["callback_tokens"] = [TOKEN]
        tree = {**stores_tree(**stores), "gateway": {"max_body_bytes": 200_000, "max_held_bytes": 50_000_000}}
        loaded = config.parse(tree, {})
        self.keeper = RecordingKeeper()
        webhooks = Webhooks(loaded, PLATFORMS, self.keeper)
        app = Gateway(webhooks, lambda: None, Callbacks(loaded, self.keeper, webhooks))
        self.server = http_server(loaded.gateway, app, fast_path_protocol(loaded.gateway, webhooks, 1_000))
        sock = bound_socket("127.0.0.1", 0)
        self.port: int = sock.getsockname()[1]
        self.serving = self.loop.create_task(self.server.serve(sockets=[sock]))
        while not self.server.started:
            self.loop.run_until_complete(asyncio.sleep(0.01))

    async def _said(self, data: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        async with asyncio.timeout(_PATIENCE):
            with contextlib.suppress(ConnectionError):
                writer.write(data)
                await writer.drain()
                writer.write_eof()
                said = await reader.read()
                writer.close()
                return said
        writer.close()
        return b""

    def ask(self, data: bytes) -> None:
        """Send bytes, close our half, read all answers."""
        said = self.loop.run_until_complete(self._said(data))
        worst = max(map(int, _STATUS.findall(said)), default=0)
        assert worst < 500, said[:500]
        assert not self.errors, self.errors[0][:2_000]
        self.keeper.kept.clear()


def _plain(platform: str) -> dict[str, Any]:
    from pydantic import SecretStr  # noqa: PLC0415

    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in IN_TESTS[platform].settings.items()
    }


@cache
def _running() -> _Running:
    return _Running()


def _bytes(data: bytes) -> None:
    _running().ask(data)


def _bytes_seeds() -> list[bytes]:
    body = order(1)
    signed = http("/webhooks/shopify/shopify", shopify(body), body)
    head = signed.replace(b"content-length: %d" % len(body), b"transfer-encoding: chunked")
    chunked = head.removesuffix(body) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    callback = f"/callbacks/shopify/{TOKEN}/unsubscribed?email=a%40b.example&ip=1.2.3.4"
    bounced = f"/callbacks/shopify/{TOKEN}/bounced"
    return [
        signed,
        chunked,
        signed + signed,
        http(callback, {}, b"", "GET"),
        http(
            bounced,
            {"content-type": "application/json"},
            b'{"entityEmail":"a@b.example","bounceTypeId":"hard"}',
        ),
        *(
            http(path, {}, b"", "GET")
            for path in ("/healthz", "/readyz", "/metrics", "/webhooks/x/y", "/", "*")
        ),
    ]


def _signed(data: bytes) -> None:
    head, _, body = data.partition(b"\n\n")
    platform, _, topic = head.decode("latin-1").partition(" ")
    if platform not in PLATFORMS or not re.fullmatch(r"[!-~]{1,100}", topic):
        return
    # The headers are what the shop's code computes; only printable ones can be sent at all.
    headers = IN_TESTS[platform].signed(topic, body, SECRET.encode(), {})
    if all(re.fullmatch(r"[ -~]*", value) for value in headers.values()):
        _running().ask(http(f"/webhooks/{platform}/{platform}", headers, body))


def _signed_seeds() -> list[bytes]:
    return [
        f"{name} {sent.topic}\n\n".encode() + IN_TESTS[name].with_topic(sent.topic, raw(sent))
        for name, bodies in ((name, bodies_of(platform)) for name, platform in PLATFORMS.items())
        for sent in (bodies.order(Sale()), bodies.customer(Person()), bodies.product(Article()))
    ]


def targets() -> dict[str, tuple[list[bytes], Callable[[bytes], None]]]:
    """By name: seeds, and what reads."""
    return {"gateway-bytes": (_bytes_seeds(), _bytes), "gateway-signed": (_signed_seeds(), _signed)}
