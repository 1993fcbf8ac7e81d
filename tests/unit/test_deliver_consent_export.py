"""An export of contacts that is anything but one: nobody is taken for withdrawn, and nothing ends."""

from __future__ import annotations

import asyncio
import io
import random
import time
import zipfile

import pytest

from pipeline.deliver.send import consent_export as withdrawals
from pipeline.deliver.send.consent_export import EMAIL, Unusable
from pipeline.deliver.state.consent import DATE, STATUS, UNSUBSCRIBED

HEADER = f"{EMAIL},{STATUS},{DATE}\n"


def _zipped(text: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        archive.writestr("contacts.csv", text)
    return held.getvalue()


GOOD = _zipped((HEADER + f"ann@example.com,{UNSUBSCRIBED},2024-01-01T00:00:00Z\n").encode())


def _read(content: bytes) -> int:
    return len(asyncio.run(withdrawals._read(content))[0])


def test_an_export_names_who_withdrew() -> None:
    assert _read(GOOD) == 1


def test_whatever_bytes_lie_there_it_is_read_or_unusable() -> None:
    chance = random.Random(1)  # noqa: S311 - repeatable chance is the point
    for _ in range(2_000):
        content = bytearray(GOOD)
        for _ in range(chance.randrange(1, 4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        try:
            _read(bytes(content[: chance.randrange(len(content) + 1)] if chance.random() < 0.2 else content))
        except Unusable:
            continue


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_an_export_packed_in_an_unusual_way_is_not_unpacked(method: int) -> None:
    with pytest.raises(Unusable, match="compression"):
        _read(_zipped(HEADER.encode(), method))


@pytest.mark.parametrize("row", [b"," * 20_000_000, b'"' + b"x" * 20_000_000, b'a,"\n",' * 3_000_000])
def test_a_row_without_an_end_is_not_read_to_its_end(row: bytes) -> None:
    content, before = _zipped(HEADER.encode() + row), time.process_time()
    with pytest.raises(Unusable):
        _read(content)
    assert time.process_time() - before < 1


def test_an_export_of_more_people_than_can_be_kept_is_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withdrawals, "MOST", 10)
    rows = "".join(f"c{number}@example.com,{UNSUBSCRIBED},\n" for number in range(11))
    with pytest.raises(Unusable, match="too many"):
        _read(_zipped((HEADER + rows).encode()))
