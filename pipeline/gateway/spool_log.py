"""One topic's events on disk: files that only grow, each deleted whole once Kafka has all of it.

Nothing has to be written to delete: a spool that filled its disk drains. A damaged place costs the events in
it alone: they are counted by the numbers that are missing, and the file is kept beside, as `*.damaged`.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from pipeline.errors import PipelineError
from pipeline.gateway.directory import OURS_ALONE, make_directory, read_own
from pipeline.gateway.frames import decode, encode, frames
from pipeline.gateway.message import Message
from pipeline.metrics import GATEWAY_SPOOL_DAMAGED, GATEWAY_SPOOL_LOST
from pipeline.private import sync_directory

log = logging.getLogger(__name__)

#: Where the machine is at fault, for a while, and not the file: it is as whole as before, and is read again.
_MACHINE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE})
#: A file this large is followed by another.
FILE_BYTES = 8_000_000
#: Largest possible file: a message of Kafka's largest size may follow the last that fits.
MOST_BYTES = FILE_BYTES + 1_100_000_000
_SUFFIX = ".spool"
_NAME = re.compile(r"[0-9]{20}")
_POSITION, _POSITION_BYTES = "position", 120
#: Far beyond all that is ever counted, and within what a frame can hold.
_MOST_NUMBER = 1 << 62


class LogPosition(NamedTuple):
    """The position after an event: its file, where it ends in it, and its number."""

    file: int
    offset: int
    number: int


START = LogPosition(0, 0, 0)


def files_in(directory: Path) -> list[int]:
    """The numbers of the files there that this program may have written, in order."""
    found = (path for path in directory.glob(f"*{_SUFFIX}") if _NAME.fullmatch(path.stem))
    found = (path for path in found if not path.is_fifo())  # opening one would wait for ever
    return sorted(number for number in (int(path.stem) for path in found) if number < _MOST_NUMBER)


class Row(NamedTuple):
    """A spooled message, and where it ends; positions grow in the order of arrival."""

    place: LogPosition
    size: int
    message: Message


class SpoolLog:
    """The files of one topic. Not for concurrent use.

    Files are named by the number of their first event. What lies there is read at the start, and again when
    it is drained.

    Args:
        directory: made when something is to be written.

    Attributes:
        start: where reading begins.
        lost: events found missing since the start; the caller takes them off its count.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files = files_in(directory)
        self._damaged: set[int] = set()
        self._said: set[tuple[str, int, int]] = set()
        self._append_to: int | None = None  # the descriptor of the last file
        self._end = 0
        self.start = self._read_position()
        self._last = self.start.number
        self.lost = 0

    def rows(self, after: LogPosition) -> Iterator[Row]:
        """The messages after a position, in order; skips and logs damage."""
        number = after.number
        known = number > 0  # what lay before the first file may have been drained
        for file in list(self._files):
            if file < after.file:
                continue
            reached = after.offset if file == after.file else 0
            if known and file > number + 1:
                self._lost(file, reached, file - number - 1)
            number, known = max(number, file - 1), True
            data, begin = self._contents(file, reached), reached
            for frame in frames(data):
                try:
                    message = decode(frame.payload)
                except (ValueError, TypeError, AttributeError, struct.error):
                    continue  # whole, but not of this program: the next one finds it damaged
                if begin + frame.begin > reached:
                    self._damaged_at(file, reached, begin + frame.begin - reached)
                if frame.number > number + 1:
                    self._lost(file, reached, frame.number - number - 1)
                reached, number = begin + frame.end, frame.number
                yield Row(LogPosition(file, reached, number), message.size, message)
            if reached < begin + len(data):
                self._damaged_at(file, reached, begin + len(data) - reached)
        if number < self._last:
            self._lost(self._last, 0, self._last - number)
        self._last = max(self._last, number)

    def read(self, after: LogPosition, max_rows: int, max_bytes: int) -> list[Row]:
        """The first rows after a position; at least one if there is one, whatever its size."""
        found: list[Row] = []
        size = 0
        for row in self.rows(after):
            found.append(row)
            size += row.size
            if len(found) >= max_rows or size >= max_bytes:
                break
        return found

    def write(self, messages: Sequence[Message]) -> tuple[int, OSError | None]:
        """Append messages; how many of them, from the first on, are on the disk, and why not the others."""
        written = 0
        try:
            while written < len(messages):
                written += self._write_to_one_file(messages[written:])
        except OSError as error:
            self._take_back()
            return written, error
        return written, None

    def delete_through(self, place: LogPosition) -> None:
        """Delete everything up to and including a position."""
        done = [file for file in self._files if file < place.file]
        if place.file in self._files and self._is_last_of(place):
            done.append(place.file)
        self._write_position(place)
        for file in done:
            self._remove(file)

    def close(self) -> None:
        """Close what is open."""
        if self._append_to is not None:
            os.close(self._append_to)
            self._append_to = None

    def _write_to_one_file(self, messages: Sequence[Message]) -> int:
        to = self._begin_file() if self._append_to is None else self._append_to
        end, count, pieces = self._end, 0, list[bytes]()
        for message in messages:
            pieces += encode(self._last + 1 + count, message)
            end += len(pieces[-2]) + len(pieces[-1])
            count += 1
            if end >= FILE_BYTES:
                break
        view = memoryview(b"".join(pieces))
        while view:
            view = view[os.write(to, view) :]
        os.fsync(to)
        self._end, self._last = end, self._last + count
        if end >= FILE_BYTES:
            self.close()
        return count

    def _begin_file(self) -> int:
        make_directory(self._directory)
        number = max([self._last, *self._files]) + 1
        path = self._path(number)
        if os.path.lexists(
            path
        ):  # nothing we promised: what failed here and could not be deleted, or foreign
            path.rename(path.with_suffix(f".{time.time_ns()}.aside"))
        self._append_to = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._end, self._last = 0, number - 1
        self._files.append(number)
        sync_directory(self._directory)
        return self._append_to

    def _take_back(self) -> None:
        """After a failure: nothing is left of what was not promised, where that can still be done."""
        descriptor = self._append_to
        if descriptor is None:
            return
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, self._end)
        # What the disk holds of a file that failed is not known: it is not written to again.
        self.close()
        if self._end == 0:
            with contextlib.suppress(OSError):
                self._path(self._files.pop()).unlink()

    def _contents(self, file: int, begin: int) -> bytes:
        """A file's bytes from a position on; one that cannot be read is kept as `*.damaged`.

        Raises:
            PipelineError: the machine does not let it be read; the process ends with it, and reads it again.
        """
        end = self._end if self._append_to is not None and file == self._files[-1] else None
        try:
            with self._path(file).open("rb") as opened:
                if os.fstat(opened.fileno()).st_size > MOST_BYTES:
                    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))  # noqa: TRY301 - as any other
                opened.seek(begin)
                return opened.read() if end is None else opened.read(end - begin)
        except OSError as error:
            if error.errno in _MACHINE:
                raise PipelineError(
                    f"the spool file {self._path(file)} cannot be read: {error.strerror}",
                    hint="nothing of it is lost; it is read when the gateway starts again",
                ) from error
            log.error("the spool file %s cannot be read: %s", self._path(file), error.strerror)  # noqa: TRY400
            GATEWAY_SPOOL_DAMAGED.inc()
            self._damaged.add(file)
            self._remove(file)
            return b""

    def _is_last_of(self, place: LogPosition) -> bool:
        if self._append_to is not None and place.file == self._files[-1]:
            return place.offset >= self._end
        if place.file != self._files[-1]:
            following = self._files[self._files.index(place.file) + 1]
            return place.number >= following - 1
        return place.number >= self._last

    def _remove(self, file: int) -> None:
        """Delete a file, or keep it beside where some of it could not be read."""
        if self._append_to is not None and file == self._files[-1]:
            self.close()
        self._files.remove(file)
        path = self._path(file)
        try:
            if file in self._damaged:
                self._damaged.remove(file)
                kept = path.with_suffix(".damaged")
                path.rename(path.with_suffix(f".{time.time_ns()}.damaged") if kept.exists() else kept)
            else:
                path.unlink()
        except OSError as error:
            # Its events come again at the next start, and are known then.
            log.warning("the drained spool file %s cannot be deleted: %s", path, error.strerror)

    def _lost(self, file: int, offset: int, events: int) -> None:
        if ("lost", file, offset) in self._said:
            return
        self._said.add(("lost", file, offset))
        self.lost += events
        GATEWAY_SPOOL_LOST.inc(events)
        log.error(
            "%d events of the spool are lost: they lay at byte %d of %s", events, offset, self._path(file)
        )

    def _damaged_at(self, file: int, offset: int, size: int) -> None:
        self._damaged.add(file)
        if ("damaged", file, offset) not in self._said:
            self._said.add(("damaged", file, offset))
            GATEWAY_SPOOL_DAMAGED.inc()
            log.error(
                "%d bytes from byte %d of the spool file %s cannot be read: damaged, or cut off in "
                "the middle of a write. The file is kept as *.damaged once the rest of it is in Kafka",
                size,
                offset,
                self._path(file),
            )

    def _path(self, file: int) -> Path:
        return self._directory / f"{file:020}{_SUFFIX}"

    def _read_position(self) -> LogPosition:
        """How far everything was in Kafka; if that is not plausible, all files are sent again."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            *numbers, checksum = orjson.loads(read_own(self._directory / _POSITION, _POSITION_BYTES))
            place = LogPosition(*numbers)
            if checksum == zlib.crc32(orjson.dumps(list(place))):
                if place.file in self._files:
                    return place
                if not self._files or self._files[0] > place.number:
                    return LogPosition(0, 0, place.number)
        return START

    def _write_position(self, place: LogPosition) -> None:
        """In place and without a sync: what a power cut loses of it is only sent to Kafka again."""
        data = orjson.dumps([*place, zlib.crc32(orjson.dumps(list(place)))]).ljust(_POSITION_BYTES)
        with contextlib.suppress(OSError):
            descriptor = os.open(self._directory / _POSITION, os.O_WRONLY | os.O_CREAT | OURS_ALONE, 0o600)
            try:
                os.pwrite(descriptor, data, 0)
            finally:
                os.close(descriptor)
