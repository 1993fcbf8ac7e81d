"""The calls an account made in its last window, on disk: so that a restart does not spend the limit twice.

Appended before each call and after each answer, 8 bytes each. The page cache is enough: it survives the death
of the process, and once the machine is up again after its own death the window has passed.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path

_RECORD = struct.Struct(">Q")
_ANSWER, _CALL_BITS = 1, 20
_CALL_MASK = (1 << _CALL_BITS) - 1
#: The file is written anew with what still counts once it is larger.
MAX_BYTES = 64 * 1024

Calls = dict[int, tuple[float, float | None]]


class Journal:
    """One account's file. Moments are epoch seconds: the monotonic clock starts anew with each boot.

    Args:
        path: the file; made where it is missing.
        window: seconds for which an answered call counts.
        longest: seconds a call takes at most.

    Attributes:
        existed: whether there was a file before.
    """

    def __init__(self, path: Path, *, window: float, longest: float) -> None:
        self._path = path
        self._window = window
        self._longest = longest
        self.existed = path.exists()
        self._calls = _read(path) if self.existed else {}
        # After the newest, which stands last: numbers begin anew once they are used up.
        self._next = next(reversed(self._calls), 0) + 1
        #: In flight from this process: kept whatever the wall clock says.
        self._in_flight: set[int] = set()
        self._size = 0
        self._file = -1
        self._open()

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        whole = os.fstat(self._file).st_size // _RECORD.size * _RECORD.size
        os.ftruncate(self._file, whole)
        self._size = whole

    def calls(self, wall: float) -> list[tuple[float, float | None]]:
        """(start, answer) of the calls that still count; the answer of a call cut off is None."""
        return list(self._counting(wall).values())

    def inherit(self, answers: Iterable[float], wall: float) -> None:
        """Replace the calls by those of another process, which count as ours; their answers' moments."""
        self._in_flight.clear()
        self._calls = {number: (answer, answer) for number, answer in enumerate(answers, 1)}
        self._next = len(self._calls) + 1
        self._rewrite(wall)

    def started(self, wall: float) -> int:
        """A call is about to be made; returns what `answered` needs."""
        call = self._next & _CALL_MASK
        self._next += 1
        self._calls.pop(call, None)
        self._calls[call] = (wall, None)
        self._in_flight.add(call)
        self._size += os.write(self._file, _packed(call, wall, 0))
        return call

    def answered(self, call: int, wall: float) -> None:
        """It has its answer, or was given up."""
        self._in_flight.discard(call)
        start, _ = self._calls.get(call, (wall, None))
        self._calls[call] = (start, wall)
        self._size += os.write(self._file, _packed(call, wall, _ANSWER))
        if self._size > MAX_BYTES:
            self._rewrite(wall)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def remove(self) -> None:
        """Close and delete: the account moves to another worker, whose calls will not be in this file."""
        self.close()
        self._path.unlink(missing_ok=True)

    def _counting(self, wall: float) -> Calls:
        answered, cut_off = wall - self._window, wall - self._window - self._longest
        found: Calls = {}
        for call, (start, end) in self._calls.items():
            # A moment to come is of a clock set back, or a damaged file: it counts as now, not for years.
            began, ended = min(start, wall), None if end is None else min(end, wall)
            if call in self._in_flight or (began > cut_off if ended is None else ended > answered):
                found[call] = (began, ended)
        return found

    def _rewrite(self, wall: float) -> None:
        self._calls = self._counting(wall)
        records = b"".join(
            _packed(call, start, 0) + (b"" if end is None else _packed(call, end, _ANSWER))
            for call, (start, end) in self._calls.items()
        )
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(records)
        os.close(self._file)
        fresh.replace(self._path)
        self._open()


def _packed(call: int, wall: float, what: int) -> bytes:
    milliseconds = int(wall * 1_000)
    return _RECORD.pack((milliseconds << (_CALL_BITS + 1)) | (call << 1) | what)


def _read(path: Path) -> Calls:
    data = path.read_bytes()
    calls: Calls = {}
    for (record,) in _RECORD.iter_unpack(data[: len(data) // _RECORD.size * _RECORD.size]):
        call, wall = (record >> 1) & _CALL_MASK, (record >> (_CALL_BITS + 1)) / 1_000
        if record & _ANSWER:
            start, _ = calls.get(call, (wall, None))
            calls[call] = (start, wall)
        else:
            calls.pop(call, None)
            calls[call] = (wall, None)
    return calls
