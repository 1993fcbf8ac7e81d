"""Files of this machine's data directory that hold a person: removed where that is safe, else named.

Kafka's logs and the workers' stores are not among them: the brokers and the workers rewrite their own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: Directories whose owner is asked to rewrite its files itself.
_OWNED = ("kafka", "pipeline-translate", "pipeline-deliver", "removal")
#: Logs that were rotated: nobody writes them any more.
_ROTATED = re.compile(r".*\.log\.\d+")
#: What a gateway has set aside, and nobody reads any more.
_ASIDE = (".damaged", ".aside")
#: Memory that the system wrote to the disk.
_CORE = re.compile(r"core(\.\d+)?|hs_err_pid\d+\.log|.*\.hprof")
#: Bytes read at once; a needle may lie across two of them.
CHUNK = 1_048_576


@dataclass(slots=True)
class LocalFiles:
    """What was found in files.

    Attributes:
        removed: lines of rotated logs, and files of what the gateway had set aside.
        not_reached: files that hold the person still, and why.
    """

    removed: int = 0
    not_reached: list[str] = field(default_factory=list)


def clean(data_dir: Path, needles: Sequence[bytes], *, dry: bool = False) -> LocalFiles:
    """Take a person out of the data directory's files.

    Args:
        data_dir: of the settings.
        needles: what names the person, in lower case.
        dry: only count.
    """
    found = LocalFiles()
    for path in _files(data_dir):
        if _CORE.fullmatch(path.name):
            found.not_reached.append(f"{path}: memory of a process that ended; delete it")
            continue
        try:
            if not _holds(path, needles):
                continue
            if _ROTATED.fullmatch(path.name):
                found.removed += _drop_lines(path, needles, dry=dry)
            elif path.suffix in _ASIDE:
                found.removed += 1
                if not dry:
                    path.unlink()
            else:
                found.not_reached.append(_why(path))
        except OSError as error:
            found.not_reached.append(f"{path}: {error.strerror}")
    return found


def _files(data_dir: Path) -> Iterator[Path]:
    """All that are not others' to rewrite; links are not followed."""
    for directory, names, files in os.walk(data_dir):
        if Path(directory) == data_dir:
            names[:] = [name for name in names if name not in _OWNED]
        for name in sorted(files):
            path = Path(directory, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _why(path: Path) -> str:
    if "spool" in path.parts or "gateway" in path.parts:
        return f"{path}: the gateway's spool has not drained; it goes with what Kafka takes"
    if path.suffix == ".log":
        return f"{path}: a log that is being written; it goes when it was rotated and this is repeated"
    return f"{path}: not the pipeline's own to change"


def _holds(path: Path, needles: Sequence[bytes]) -> bool:
    longest = max(map(len, needles), default=0)
    with path.open("rb") as file:
        rest = b""
        while chunk := file.read(CHUNK):
            text = rest + chunk.lower()
            if any(needle in text for needle in needles):
                return True
            rest = text[-longest:]
    return False


def _drop_lines(path: Path, needles: Sequence[bytes], *, dry: bool) -> int:
    """Write a log anew without the lines that hold a needle; how many they were."""
    written = path.with_name(f"{path.name}.new")
    dropped = 0
    with path.open("rb") as old, (written if not dry else Path(os.devnull)).open("wb") as new:
        for line in old:
            if any(needle in line.lower() for needle in needles):
                dropped += 1
            else:
                new.write(line)
    if not dry:
        written.chmod(path.stat().st_mode & 0o777)
        written.replace(path)
    return dropped
