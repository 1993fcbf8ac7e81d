"""A purchase id, an order number or an address -> the entities that are meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import orjson

from pipeline.config import Settings
from pipeline.events import Kind
from pipeline.records import RecordKind, record_key
from pipeline.shops.api import bodies_in
from pipeline.shops.registry import PLATFORMS
from pipeline.trace.life import EntityKey
from pipeline.trace.now import ask_record
from pipeline.trace.scan import LifeScan
from pipeline.workers.client import WorkerClient

#: Entities traced at once, those with the newest events; the others are counted.
MOST = 20
#: Matches remembered: an address of the shop's own may be in every order.
REMEMBERED = 10_000
_PLAIN = re.compile(r"[A-Za-z0-9]+")
_ADDRESS_PART = re.compile(rb"[a-z0-9.!#$%&'*+/=?^_`{|}~-]")


def by_purchase(
    settings: Settings, store: str, purchase_id: str, client: WorkerClient, scan: Callable[[], LifeScan]
) -> EntityKey | None:
    """The order of a purchase: as deliver remembers it, else by the records that are kept.

    Args:
        settings: the program's.
        store: whose order it is.
        purchase_id: as Connectif has it.
        client: of the workers.
        scan: made only where the workers do not know.
    """
    last: EntityKey | None = None
    for account in settings.stores[store].accounts:
        answer = ask_record(client, settings, account, RecordKind.PURCHASE, purchase_id)
        if answer.found is not None:
            parts = answer.found.get("versions") or []
            owners = [str(part.get("owner", "")) for part in parts]
            owners.append(str((answer.found.get("last_sent") or {}).get("owner", "")))
            found = next((key for key in map(_owner(store), owners) if key is not None), None)
            if found is not None:
                return found
    for account in settings.stores[store].accounts:
        last = _of_records(store, account, purchase_id, scan()) or last
    if last is None and settings.stores[store].purchase_id == "id":
        return EntityKey(store, Kind.ORDER, purchase_id.removeprefix(settings.stores[store].id_prefix))
    return last


def _of_records(store: str, account: str, purchase_id: str, scan: LifeScan) -> EntityKey | None:
    """The order of the newest record of a purchase that is kept."""
    wanted = record_key(account, RecordKind.PURCHASE, purchase_id)
    last: EntityKey | None = None
    for _, value in scan.of_account(
        "purchases", RecordKind.PURCHASE.topic, account, lambda key, _: key == wanted
    ):
        try:
            said = orjson.loads(value)
            if said["store"] == store:
                last = _owner(store)(str(said["owner"])) or last
        except (ValueError, TypeError, LookupError):
            continue
    return last


def _owner(store: str) -> Callable[[str], EntityKey | None]:
    def key(owner: str) -> EntityKey | None:
        kind, _, entity = owner.partition("|")
        return EntityKey(store, Kind(kind), entity) if kind in set(Kind) and entity else None

    return key


def by_number(settings: Settings, store: str, number: str, scan: LifeScan) -> tuple[list[EntityKey], int]:
    """The orders of a number, as the shop shows it to people; and how many more there are."""
    fields = PLATFORMS[settings.stores[store].platform].order_numbers
    paths = [field.split(".") for field in fields]
    plain = number.strip().lstrip("#")
    begins = f"{store}|{Kind.ORDER}|".encode()
    # What no writer of JSON escapes: most bodies are told apart by that, without reading them.
    said = max(_PLAIN.findall(plain), key=len, default="").encode()

    def is_meant(key: bytes, value: bytes) -> bool:
        if not key.startswith(begins) or said not in value:
            return False
        try:
            body = orjson.loads(value)
        except ValueError:
            return False
        return any(
            str(_at(one, path)).strip().lstrip("#") == plain for one in bodies_in(body) for path in paths
        )

    return _newest(scan.matching("orders", [Kind.ORDER.topic], is_meant))


def _at(body: object, path: Sequence[str]) -> object:
    """What stands in a body at a path; "" for nothing."""
    for name in path:
        body = body.get(name, "") if isinstance(body, dict) else ""
    return body


def by_email(store: str, email: str, scan: LifeScan) -> tuple[list[EntityKey], int]:
    """The customers and orders whose events name an address; and how many more there are."""
    wanted = email.strip().lower().encode()
    begins = [f"{store}|{kind}|".encode() for kind in (Kind.CUSTOMER, Kind.ORDER)]

    def is_meant(key: bytes, value: bytes) -> bool:
        return key.startswith(tuple(begins)) and names_address(value, wanted)

    return _newest(scan.matching("orders and customers", [Kind.CUSTOMER.topic, Kind.ORDER.topic], is_meant))


def names_address(body: bytes, address: bytes) -> bool:
    """Whether a body names an address, not only as a part of another one; `address` in lower case."""
    lower = body.lower()
    if _stands_in(lower, address):
        return True
    if b"\\u" not in lower:
        return False
    try:
        return _stands_in(orjson.dumps(orjson.loads(body)).lower(), address)
    except (ValueError, TypeError):  # no JSON, or nested deeper than orjson writes
        return False


def _stands_in(text: bytes, address: bytes) -> bool:
    at = text.find(address)
    while at >= 0:
        before, behind = text[max(0, at - 1) : at], text[at + len(address) :][:1]
        if not (_ADDRESS_PART.match(before) or _ADDRESS_PART.match(behind)):
            return True
        at = text.find(address, at + 1)
    return False


def _newest(found: Iterable[tuple[bytes, bytes]]) -> tuple[list[EntityKey], int]:
    """The entities of some messages, the newest last; and how many more there are, at most."""
    order: dict[bytes, None] = {}
    forgotten = 0
    for key, _ in found:
        order.pop(key, None)
        order[key] = None
        if len(order) > REMEMBERED:
            del order[next(iter(order))]
            forgotten += 1
    keys = [key for key in map(_key, order) if key is not None]
    return keys[-MOST:], max(0, len(keys) - MOST) + forgotten


def _key(raw: bytes) -> EntityKey | None:
    store, _, rest = raw.decode(errors="replace").partition("|")
    kind, _, entity = rest.partition("|")
    return EntityKey(store, Kind(kind), entity) if kind in set(Kind) and entity else None
