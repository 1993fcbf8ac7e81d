"""The CSV of an import's refused rows."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from typing import BinaryIO, Literal

_IN_MEMORY = 1_000_000


class ErrorReport:
    """Refused rows in a temporary file, so that a file full of them costs no memory."""

    def __init__(self, header: Sequence[str], columns: Literal["full", "row", "cells"]) -> None:
        self._columns = columns
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed with the report
        self._text = io.TextIOWrapper(self._file, "utf-8", newline="", write_through=True)
        weakref.finalize(self, self._text.close)
        self._writer = csv.writer(self._text)
        self._write("row", "error", header)

    def add(self, row: int, cells: Sequence[str], reason: str) -> None:
        """Add a row by its line in the file, the header's being 1."""
        self._write(str(row), reason, cells)

    def copy(self) -> BinaryIO:
        """The report as it is now, as a file of the caller's."""
        copied = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        self._text.flush()
        self._file.seek(0)
        shutil.copyfileobj(self._file, copied)
        self._file.seek(0, io.SEEK_END)
        copied.seek(0)
        return copied

    def close(self) -> None:
        """Forget the rows."""
        self._text.close()

    def _write(self, row: str, reason: str, cells: Sequence[str]) -> None:
        if self._columns == "cells":
            self._writer.writerow([*cells, reason])
        else:
            self._writer.writerow([row, reason, *(cells if self._columns == "full" else ())])
