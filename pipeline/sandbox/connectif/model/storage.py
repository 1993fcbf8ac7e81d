"""Where an account's elements lie: packed, so that a million purchases fit a small machine.

An element is found by its key and by the id Connectif gives it. One that was deleted leaves a mark with how
often it was created and written: that is what a judge of "never twice" reads.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from pipeline.sandbox.connectif.http.responses import dump
from pipeline.sandbox.connectif.model.field_types import iso

_HEAD = struct.Struct("<dddII??")
_ID = re.compile(r"[0-9a-f]{24}")
#: Smaller bodies gain little from compression.
_COMPRESS_FROM = 256
#: The words most bodies share; text that repeats them costs next to nothing.
_WORDS = (
    b'{"categories":["],"tags":["],"customField1":"","customField2":"","customField3":"","brand":"",'
    b'"publishedAt":"-01-01T00:00:00Z","availability":"instock","isBlacklisted":false,"description":"",'
    b'"paymentMethod":"","purchaseDate":"2026-01-01T00:00:00Z","contactEmail":"@example.com","cartId":"",'
    b'"contactId":"","totalQuantity":1,"totalPrice":,"purchaseId":"","products":[{"productId":"","name":"",'
    b'"productDetailUrl":"https://www./products/","imageUrl":"https://cdn.","thumbnailUrl":"https://",'
    b'"unitPrice":,"unitPriceOriginal":,"unitPriceWithoutVAT":,"discountedAmount":0,"discountedPercentage":0,'
    b'"quantity":1,"price":,"id":"'
)

MakeId = Callable[[int, float, int], str]


def id_maker(space: int) -> MakeId:
    """24 hex characters from an element's place, its age and how often it was created; `space`: 20 bits."""

    def make(place: int, created: float, creates: int) -> str:
        return f"{int(created) & 0xFFFFFFFF:08x}{space & 0xFFFFF:05x}{creates & 0xFFF:03x}{place:08x}"

    return make


class Entry:
    """An element as it is (or, deleted, was).

    Times are epoch seconds; `when` is the element's own moment, such as a purchase's date.
    """

    __slots__ = (
        *("_packed", "_make_id", "_unpacked", "created", "creates", "deleted"),
        *("key", "place", "updated", "when", "writes"),
    )

    def __init__(
        self, place: int, key: str, row: bytes, make_id: MakeId, unpacked: bytes | None = None
    ) -> None:
        self.place = place
        self.key = key
        (self.created, self.updated, self.when, self.writes, self.creates, self.deleted, packed) = (
            _HEAD.unpack_from(row)
        )
        self._packed = (packed, row)
        self._unpacked = unpacked
        self._make_id = make_id

    @property
    def id(self) -> str:
        """What Connectif calls it."""
        return self._make_id(self.place, self.created, self.creates)

    @property
    def raw(self) -> bytes:
        """The stored JSON."""
        if self._unpacked is not None:
            return self._unpacked
        packed, row = self._packed
        if not packed:
            return row[_HEAD.size :]
        return zlib.decompressobj(zdict=_WORDS).decompress(row[_HEAD.size :])

    @property
    def body(self) -> dict[str, Any]:
        """The stored document."""
        document: dict[str, Any] = orjson.loads(self.raw)
        return document

    @property
    def json(self) -> bytes:
        """The document with its id and times, as the API answers it."""
        head = dump({"id": self.id, "createdAt": iso(self.created), "updatedAt": iso(self.updated)})
        raw = self.raw
        return head if raw == b"{}" else head[:-1] + b"," + raw[1:]


class Shelf:
    """Elements of one sort.

    Attributes:
        held: how many there are now.
        created: creations ever, those of deleted elements included.
        recreated: creations of what had been there before.
    """

    def __init__(self, make_id: MakeId) -> None:
        self._make_id = make_id
        self._places: dict[str, int] = {}
        self._keys: list[str] = []
        self._rows: list[bytes] = []
        self.held = self.created = self.recreated = 0

    def __len__(self) -> int:
        """How many there ever were."""
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return self.find(key) is not None

    def find(self, key: str) -> Entry | None:
        """The element with that key, if it is there now."""
        entry = self.ever(key)
        return None if entry is None or entry.deleted else entry

    def ever(self, key: str) -> Entry | None:
        """The element with that key, deleted or not."""
        place = self._places.get(key)
        return None if place is None else self._at(place)

    def at(self, place: int) -> Entry | None:
        """The element at a place, if it is there now."""
        entry = self._at(place)
        return None if entry.deleted else entry

    def by_id(self, connectif_id: str) -> Entry | None:
        """The element Connectif gave that id, if it is there now."""
        if not _ID.fullmatch(connectif_id):
            return None
        place = int(connectif_id[16:], 16)
        entry = self.at(place) if place < len(self._rows) else None
        return entry if entry is not None and entry.id == connectif_id else None

    def put(self, key: str, body: Mapping[str, Any], now: float, when: float = 0.0) -> Entry:
        """Create or replace the element; `when` is kept for whoever wants to sort or filter by it."""
        old = self.ever(key)
        if old is not None and not old.deleted:
            return self._store(old.place, key, body, (old.created, now, when, old.writes + 1, old.creates))
        self.held += 1
        self.created += 1
        if old is not None:
            self.recreated += 1
            return self._store(old.place, key, body, (now, now, when, old.writes + 1, old.creates + 1))
        place = len(self._rows)
        self._places[key] = place
        self._keys.append(key)
        self._rows.append(b"")
        return self._store(place, key, body, (now, now, when, 1, 1))

    def rename(self, entry: Entry, key: str) -> None:
        """Give the element another key; one deleted under that key gives it up."""
        if self._places.get(entry.key) == entry.place:
            del self._places[entry.key]
        self._places[key] = entry.place
        self._keys[entry.place] = key

    def drop(self, entry: Entry, now: float) -> None:
        """Delete the element; its mark stays."""
        head = (entry.created, now, entry.when, entry.writes, entry.creates)
        self._rows[entry.place] = _HEAD.pack(*head, True, False)
        self.held -= 1

    def page(self, offset: int, limit: int) -> Iterator[Entry]:
        """Elements in the order they came, deleted ones included."""
        for place in range(offset, min(offset + limit, len(self._rows))):
            yield self._at(place)

    def living(self) -> Iterator[Entry]:
        """Elements that are there now."""
        return (entry for entry in self.page(0, len(self._rows)) if not entry.deleted)

    def _at(self, place: int) -> Entry:
        return Entry(place, self._keys[place], self._rows[place], self._make_id)

    def _store(
        self, place: int, key: str, body: Mapping[str, Any], head: tuple[float, float, float, int, int]
    ) -> Entry:
        raw = stored = dump(body)
        packed = len(raw) >= _COMPRESS_FROM
        if packed:
            compressor = zlib.compressobj(level=1, memLevel=7, zdict=_WORDS)
            stored = compressor.compress(raw) + compressor.flush()
        self._rows[place] = _HEAD.pack(*head, False, packed) + stored
        return Entry(place, key, self._rows[place], self._make_id, raw)
