"""The archive in a storage that speaks S3, where `s3fs` and `moto[server]` are installed: no dependencies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.archive.files import Archive
from pipeline.archive.removal import remove_offsets
from pipeline.archive.storage import StorageError
from tests.archived import PLACE, archive_in, offsets_in, written

s3fs: Any = pytest.importorskip("s3fs")
moto_server: Any = pytest.importorskip("moto.server")


@pytest.fixture(name="archive")
def _archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir("acme-archive")
    try:
        yield archive_in(tmp_path, "s3://acme-archive/pipeline")
    finally:
        server.stop()


@pytest.mark.filterwarnings("default")  # the server's and the client's own
def test_files_are_written_read_and_written_anew_in_an_object_storage(
    archive: Archive, tmp_path: Path
) -> None:
    assert archive.listing().whole == []
    written(archive, 0, 5)
    cut = written(archive, 5, 8)
    assert offsets_in(archive) == [0, 1, 2, 3, 4, 5, 6, 7]
    archive.storage.write(cut.path, archive.storage.read(cut.path)[:-1])
    assert offsets_in(archive) == [0, 1, 2, 3, 4]
    assert remove_offsets(archive, {PLACE: [2]}).rows == 1
    assert offsets_in(archive) == [0, 1, 3, 4]
    assert len(list(archive.storage.listing())) == 1
    nowhere = archive_in(tmp_path, "s3://no-such-bucket/pipeline")
    with pytest.raises(StorageError, match="no-such-bucket"):
        written(nowhere, 0, 1)
    assert nowhere.listing().whole == [], "no bucket is made"
