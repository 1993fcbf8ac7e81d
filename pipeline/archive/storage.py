"""Where the archive's files lie: any storage that fsspec knows, and a disk with what makes a file last.

A file is there whole or not at all, as far as the storage can say so: on a disk it is written under another
name and renamed once it is on the disk; an object appears when its upload is complete.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs

from pipeline import private
from pipeline.archive.layout import UNFINISHED
from pipeline.errors import PipelineError, SettingsError

_FILE_MODE = 0o600


class StorageError(PipelineError):
    """The storage refuses, or does not answer."""


class Storage:
    """The files below one address. Blocks.

    Args:
        url: as fsspec has it: `file:///srv/archive`, `s3://bucket/folder`.

    Raises:
        SettingsError: there is no such kind of storage, or its package is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            # Two processes write here: what a listing said before is no use.
            self._files, root = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        except (ImportError, ValueError) as error:
            raise SettingsError(
                f"{url} cannot be used: {error}",
                field="archive.url",
                hint="file:///directory, or s3://bucket/folder with the package s3fs",
            ) from error
        self._root = root.rstrip("/")
        protocol = self._files.protocol
        self._on_disk = "file" in ((protocol,) if isinstance(protocol, str) else protocol)

    def listing(self) -> Iterator[tuple[str, int]]:
        """Every file: its path below the address, and its size.

        Raises:
            StorageError: it cannot be listed.
        """
        found: dict[str, dict[str, Any]] = {}
        with self._errors("cannot be listed"), contextlib.suppress(FileNotFoundError):
            self._files.invalidate_cache()
            found = self._files.find(self._root, detail=True)
        for path, info in sorted(found.items()):
            yield path[len(self._root) :].lstrip("/"), int(info["size"] or 0)

    def read(self, path: str) -> bytes:
        """A file's content.

        Raises:
            StorageError: it cannot be read.
        """
        with self._errors(f"{path} cannot be read"):
            content: bytes = self._files.cat_file(self._full(path))
            return content

    def write(self, path: str, content: bytes) -> None:
        """Make a file; once this returns it is there to stay.

        Raises:
            StorageError: it cannot be written.
        """
        with self._errors(f"{path} cannot be written"):
            if self._on_disk:
                _to_disk(Path(self._full(path)), content)
                return
            try:
                self._files.pipe_file(self._full(path), content)
            except FileNotFoundError:
                # Object storages have no directories; others want them made. A bucket is never made, as its
                # name may be a typing error.
                if not self._files.exists(self._root):
                    raise
                self._files.makedirs(self._full(path).rpartition("/")[0], exist_ok=True)
                self._files.pipe_file(self._full(path), content)
            self._files.invalidate_cache()
            size = self._files.info(self._full(path))["size"]
            if size != len(content):
                raise StorageError(f"{path}: {size} bytes of {len(content)} are there")

    def delete(self, path: str) -> None:
        """Delete a file; that it is gone already is no error.

        Raises:
            StorageError: it cannot be deleted.
        """
        with self._errors(f"{path} cannot be deleted"), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._full(path))

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except PipelineError:
            raise
        except Exception as error:  # each kind of storage raises errors of its own
            said = str(error) or type(error).__name__
            raise StorageError(
                f"the archive {self.url}: {what}: {said[:300]}", hint="correct it, or archive.url"
            ) from error


def _to_disk(path: Path, content: bytes) -> None:
    """Write under another name, and rename once it is on the disk; only the user may read it."""
    missing = [parent for parent in (path.parent, *path.parent.parents) if not parent.exists()]
    for directory in reversed(missing):
        directory.mkdir(mode=private.PRIVATE, exist_ok=True)
        private.sync_directory(directory.parent)
    unfinished = path.with_name(f".{path.name}{UNFINISHED}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    private.sync_directory(path.parent)


__all__ = ["Storage", "StorageError"]
