"""Files and rows: settings, coupon codes, exports, shops' pages, states, the spool, the archive, answers."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import orjson

from pipeline.archive.parquet import FileContent, Unreadable, first_since, messages
from pipeline.check.page.inspect import Asked, inspect
from pipeline.config import load, parse
from pipeline.connectif import forms
from pipeline.connectif.answers import read_answer
from pipeline.coupons.codes import read_file
from pipeline.dead.letter import LetterId
from pipeline.dead.letter import read as read_letter
from pipeline.deliver.partition.table_rows import entry_of, last_sent_of
from pipeline.deliver.state.entry import Entry, Waiting
from pipeline.engine.foreign import JUNK
from pipeline.errors import PipelineError, SettingsError
from pipeline.events import Kind
from pipeline.gateway.frames import encode
from pipeline.gateway.message import Message
from pipeline.gateway.spool_log import SpoolLog
from pipeline.kafka.fetches import FetchRequest
from pipeline.kafka.messages import LibrdkafkaMessage, TopicPartition
from pipeline.kafka.tombstones import is_removal
from pipeline.reconcile.connectif_export import read_export_file
from pipeline.records import RecordKind
from pipeline.shops.base import Rejected
from pipeline.shops.registry import PLATFORMS
from pipeline.sync.answers import read as read_shop_answer
from pipeline.translate.reading import UnknownStore, mark_of, stores_of
from pipeline.translate.reading import read as read_event
from pipeline.translate.state import EntityState
from tests.contract.platform_events import bodies_of, event_of
from tests.platforms import IN_TESTS
from tests.shop_bodies import Person, Sale
from tests.webhooks import STORES

ROOT = Path(__file__).parents[2]
PLACE = TopicPartition("shop.orders", 0)
Target = tuple[list[bytes], Callable[[bytes], None]]


def _settings(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as file:  # noqa: S108
        file.write(data)
        file.flush()
        for isolate in (False, True):
            with suppress(SettingsError):
                load(Path(file.name), {}, isolate=isolate)


def _settings_seeds() -> list[bytes]:
    small = b"""
[accounts.a]
api_key = { file = "/dev/null" }
authorised_domains = ["https://a.example"]
purchases_since = 2024-01-01
[stores.a]
platform = "shopify"
account = "a"
domain = "a.example"
secrets = [{ env = "A" }]
"""
    return [small, (ROOT / "pipeline.example.toml").read_bytes()]


def _coupons(data: bytes) -> None:
    read_file(data)


def _export(data: bytes) -> None:
    for decimal in (None, ","):
        with suppress(PipelineError):
            for _ in read_export_file(io.BytesIO(data), "export", {}, ZoneInfo("Europe/Madrid"), decimal):
                pass


def _zipped(content: bytes) -> bytes:
    import zipfile  # noqa: PLC0415 - for one seed

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("purchases.csv", content)
    return out.getvalue()


def _page(data: bytes) -> None:
    inspect(data, Asked(url="https://acme.example/p", domains=("https://acme.example",)), lambda *_: None)


def _headers(known: Any, data: bytes) -> None:
    try:
        tree = orjson.loads(data)
    except ValueError:
        return
    pairs = [one for one in tree if isinstance(one, list) and len(one) == 2] if isinstance(tree, list) else []
    headers: list[Any] = [
        (str(name), None if value is None else str(value).encode(errors="replace")) for name, value in pairs
    ]
    for kind in Kind:
        with suppress(Rejected, UnknownStore):
            read_event(b"acme-es|order|1", b"{}", headers, kind, known)
        with suppress(Rejected):
            mark_of(headers, 0)
        with suppress(ValueError):
            FetchRequest.of(b"acme-es|order|1", b"{}", headers)
    is_removal(headers)
    read_letter(LetterId(0, 0), 0, headers)


def _headers_seeds() -> list[bytes]:
    event = event_of(PLATFORMS["shopify"], bodies_of(PLATFORMS["shopify"]).order(Sale()))
    more = {
        "pipeline-replay-run": "r",
        "dead-topic": "shop.orders",
        "dead-offset": "7",
        "notified-by": "a/0/1",
    }
    pairs = [[name, value.decode()] for name, value in event.to_kafka_headers()]
    return [orjson.dumps(pairs), orjson.dumps([*pairs, *map(list, more.items())])]


def _rows(data: bytes) -> None:
    for kind in RecordKind:
        entry_of(kind, data, 0)
        last_sent_of(kind, data, 0)
    with suppress(PipelineError, *JUNK):
        EntityState.decode(data)


def _rows_seeds() -> list[bytes]:
    from pipeline.deliver.partition.reading import read_record  # noqa: PLC0415
    from pipeline.records import partition_of  # noqa: PLC0415
    from pipeline.translate.feed import EventPosition, Feed  # noqa: PLC0415
    from pipeline.translate.rules import apply  # noqa: PLC0415
    from tests.platforms import settings_of  # noqa: PLC0415

    platform = PLATFORMS["shopify"]
    feed = Feed(platform.store("acme", settings_of("shopify")), platform, "acme")
    found = []
    for sent in (bodies_of(platform).order(Sale()), bodies_of(platform).customer(Person())):
        state = EntityState()
        result = apply(event_of(platform, sent), EventPosition("shop.orders", 0, 1), state, feed)
        found.append(state.encode())
        for account, kind, _, _, value in result.emissions:
            record = read_record(value, kind, partition_of(account, 8), 8, max_bytes=6_000_000)
            found.append(Entry(current=Waiting.of(record, 5, 1)).encode())
    return found


def _spool(data: bytes) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:  # noqa: S108
        (Path(name) / "00000000000000000001.spool").write_bytes(data)
        log = SpoolLog(Path(name))
        with suppress(PipelineError):
            rows = list(log.rows(log.start))
            if rows:
                log.delete_through(rows[-1].place)
        log.close()


def _spool_seeds() -> list[bytes]:
    one = Message("shop.orders", b"acme|order|1", b'{"id":1}', [("pipeline-store", b"acme")])
    return [b"".join(piece for number in range(1, 4) for piece in encode(number, one))]


def _archive(data: bytes) -> None:
    with suppress(Unreadable):
        for batch in messages(data, PLACE, 0, 2**62):
            for message in batch:
                message.headers(), message.value(), message.timestamp()
    with suppress(Unreadable):
        first_since(data, 1)


def _archive_seeds() -> list[bytes]:
    content = FileContent(PLACE)
    for offset in range(3):
        content.add(LibrdkafkaMessage("shop.orders", 0, offset, 1_700_000_000_000, b"k", b"v", [("a", b"b")]))
    return [content.finish()]


def _answers(data: bytes) -> None:
    head, _, body = data.partition(b"\n\n")
    status, _, kind = head.decode("latin-1").partition(" ")
    number = int(status) if status.isdecimal() and 200 <= int(status[:4]) < 600 else 200
    said = kind[:40].encode("latin-1")
    headers = [(b"content-type", b"application/json"), (b"retry-after", said), (b"x-ratelimit-reset", said)]
    response = httpx.Response(number, headers=headers, content=body)
    for form in (forms.ANY, forms.CONTACT_FOUND, forms.DELETED):
        read_answer(response, 1.0, form)
    for method in ("GET", "POST"):
        read_shop_answer(response, 1.0, method)


def targets() -> dict[str, Target]:
    """By name: seeds, and what reads."""
    known = stores_of(parse({**STORES}, {}), PLATFORMS)
    pages = [path.read_bytes() for path in sorted((ROOT / "tests/data/pages").glob("*.html"))]
    csv = b"Purchase id;Date;Total price\r\n1001;2026-11-23T10:00:00Z;1.234,50\r\n1002;23/11/2026;12.5\r\n"
    said = [b'200 5\n\n{"email":"a@b.example","id":"1"}', b'409 1\n\n{"status":409,"errorCode":"E0101"}']
    return {
        "settings": (_settings_seeds(), _settings),
        "coupons": (
            [b"A1\nB2\n", b"code;note\nA1;x\nB2;y\n", b'code,note\n"A,1",x\n'],
            _coupons,
        ),
        "exports": ([csv, _zipped(csv), csv.replace(b";", b",")], _export),
        "check-page": (pages, _page),
        "headers": (_headers_seeds(), partial(_headers, known)),
        "state-rows": (_rows_seeds(), _rows),
        "spool": (_spool_seeds(), _spool),
        "archive": (_archive_seeds(), _archive),
        "answers": (said, _answers),
    }


__all__ = ["IN_TESTS", "targets"]
