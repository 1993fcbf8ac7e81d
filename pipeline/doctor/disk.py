"""How much room the disk of `data_dir` has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.doctor.context import Context
from pipeline.doctor.findings import Finding, ok, problem, warning

DISK = "disk"
#: As the alert `DiskFillsUp` has it; and below which room what is written at once may not fit.
SHARE, LEAST = 0.1, 500_000_000
#: Share of the file system's files.
FILES = 0.02
#: File systems that are in memory.
_IN_MEMORY = {"tmpfs", "ramfs"}
_TODO = "`du -xh -d 2 DATA_DIR | sort -h` shows what takes it; docs/runbooks/DiskFillsUp.md"


class Room(NamedTuple):
    """What a file system has, in bytes and files; `files` is 0 where it has no limit of them."""

    free: int
    size: int
    files_free: int
    files: int
    read_only: bool = False
    in_memory: bool = False


def examine(context: Context) -> list[Finding]:
    """Look at the file system."""
    settings = context.settings
    place = _existing(settings.data_dir.absolute())
    try:
        found = os.statvfs(place)
    except OSError as error:
        return [problem(DISK, f"{place} cannot be looked at: {error.strerror}", "see that it is mounted")]
    free = found.f_bavail * found.f_frsize
    size = free + (found.f_blocks - found.f_bfree) * found.f_frsize  # without what is kept for root
    read_only = bool(found.f_flag & os.ST_RDONLY)
    room = Room(free, size, found.f_favail, found.f_files, read_only, _kind(place) in _IN_MEMORY)
    return list(judged(str(place), room, settings.gateway.spool_max_bytes))


def _kind(place: Path) -> str:
    """The kind of the file system of a place, such as `ext4`; "" where the system does not tell."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    mounts = {where: kind for _, where, kind, *_ in map(str.split, lines)}
    real = place.resolve()
    return next((mounts[str(one)] for one in (real, *real.parents) if str(one) in mounts), "")


def _existing(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.exists())


def judged(place: str, room: Room, spool: int) -> Iterator[Finding]:
    """What that means. `spool`: bytes that the gateway may keep while Kafka is away."""
    said = f"{place}: {_gb(room.free)} of {_gb(room.size)} are free"
    if room.read_only:
        yield problem(DISK, f"{place} is mounted read-only", "see `dmesg`: a disk that fails is mounted so")
    elif room.in_memory:
        todo = "keep data_dir of processes on a disk that stays; where only commands run, it is meant so"
        yield warning(DISK, f"{place} is in memory: what is kept there goes when it ends", todo)
    elif room.free < LEAST:
        yield problem(DISK, said, _TODO)
    elif room.free < SHARE * room.size:
        yield warning(DISK, said, _TODO)
    elif room.files and room.files_free < FILES * room.files:
        yield problem(DISK, f"{place}: {room.files_free} of {room.files} files are left", _TODO)
    elif room.free < spool:
        todo = "make room, or lower gateway.spool_max_bytes: beyond it shops are answered 503 in time"
        yield warning(DISK, f"{said}, and the spool may take {_gb(spool)}", todo)
    else:
        yield ok(DISK, said)


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
