"""When calls began that sent an unsubscription, on disk, until their outcome is known.

Connectif dates an unsubscription by the first call that sent it, and keeps that date when it is sent again.
Without this file a process that was killed meanwhile would not know that call, and take the date for the
person's own.

Appended before each such call, 16 bytes each. The page cache is enough, as for the journal of calls. Nobody
can be read from it: keys are hashed with a salt that is in the file alone.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_SALT_BYTES = 16
_HASH_BYTES = 8
_RECORD = struct.Struct(f">{_HASH_BYTES}sQ")
#: The moment of a record that says that the outcome is known.
_ENDED = 0
#: The file is written anew, with what is open, once it is larger than this and than twice what is open.
MAX_BYTES = 64 * 1024


class UnsubscribingCalls:
    """One account's.

    Args:
        path: the file; made where it is missing, or is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._salt, self._began = _read(path)
        self._file = -1
        self._size = 0
        self._rewrite()

    def begin(self, key_ids: Iterable[str], now_ms: int) -> list[str]:
        """Calls are about to send that these contacts unsubscribe; returns those for whom it is the first."""
        named = {self._name(key_id): key_id for key_id in key_ids}
        first = {name: key_id for name, key_id in named.items() if name not in self._began}
        self._began |= dict.fromkeys(first, now_ms)
        self._append(b"".join(_RECORD.pack(name, now_ms) for name in first))
        return list(first.values())

    def began(self, key_id: str) -> int | None:
        """When the first call began whose outcome is not known, epoch ms; None: there is none."""
        return self._began.get(self._name(key_id))

    def end(self, key_ids: Iterable[str]) -> None:
        """Their receipts were read back, so it is known from there; or the call was not carried out."""
        if not self._began:
            return  # most: of a contact's receipts few are of such calls
        names = [name for name in map(self._name, key_ids) if self._began.pop(name, None) is not None]
        self._append(b"".join(_RECORD.pack(name, _ENDED) for name in names))
        if self._size > max(MAX_BYTES, 2 * _RECORD.size * len(self._began)):
            self._rewrite()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def remove(self) -> None:
        """Close and delete: the account moves to another worker."""
        self.close()
        self._path.unlink(missing_ok=True)

    def _name(self, key_id: str) -> bytes:
        return hashlib.blake2b(key_id.encode(), digest_size=_HASH_BYTES, key=self._salt).digest()

    def _append(self, records: bytes) -> None:
        if records:
            self._size += os.write(self._file, records)

    def _rewrite(self) -> None:
        records = b"".join(_RECORD.pack(name, moment) for name, moment in self._began.items())
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        os.write(descriptor, self._salt + records)
        fresh.replace(self._path)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size = descriptor, _SALT_BYTES + len(records)


def _read(path: Path) -> tuple[bytes, dict[bytes, int]]:
    """The salt and the open calls; those of a file that is none, or was cut off, are left out."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    if len(data) < _SALT_BYTES:
        return os.urandom(_SALT_BYTES), {}
    salt, records = data[:_SALT_BYTES], data[_SALT_BYTES:]
    began: dict[bytes, int] = {}
    for name, moment in _RECORD.iter_unpack(records[: len(records) // _RECORD.size * _RECORD.size]):
        if moment == _ENDED:
            began.pop(name, None)
        else:
            began.setdefault(name, moment)
    return salt, began
