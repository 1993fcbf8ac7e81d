"""What a process keeps is its user's alone, and a lock says who holds it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline import private
from pipeline.errors import PipelineError

HOLDER = (
    "import sys\nfrom pathlib import Path\nfrom pipeline import private\n"
    "lock = private.hold(Path(sys.argv[1]), 'the spool', 'stop it')\nprint('held', flush=True)\n"
    "sys.stdin.read()\n"
)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_new_data_directory_is_ours_alone(tmp_path: Path) -> None:
    private.data_directory(tmp_path / "a" / "data")
    assert mode(tmp_path / "a" / "data") == 0o700


def test_one_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("kafka", "gateway", "pipeline-translate"):
        (data / name).mkdir(parents=True)
    data.chmod(0o755)
    private.data_directory(data)
    assert mode(data) == 0o700


def test_one_that_holds_others_files_stays_open_and_ours_in_it_are_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("gateway", "somebodys"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o755)
    tmp_path.chmod(0o755)
    private.data_directory(tmp_path)
    assert [mode(tmp_path), mode(tmp_path / "gateway"), mode(tmp_path / "somebodys")] == [0o755, 0o700, 0o755]
    assert "holds other files too" in caplog.text


def test_a_directory_of_everybodys_is_not_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    private.data_directory(tmp_path)
    assert mode(tmp_path) == 0o1777


def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    for path in (tmp_path / "data", tmp_path / "data" / "below"):
        with pytest.raises(PipelineError, match="cannot be used: Not a directory"):
            private.data_directory(path)


def test_a_lock_names_the_process_that_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    argv = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(
            private.InUse, match=f"the spool is in use by process {holder.pid}, started 2"
        ) as caught:
            private.hold(path, "the spool", "stop it")
        assert str(path) in str(caught.value)
        assert "-> stop it" in str(caught.value)
        assert private.is_held(path)
        holder.kill()
    assert path.exists()
    assert not private.is_held(path)
    again = private.hold(path, "the spool", "stop it")
    assert again is not None
    assert private.holder_of(path).startswith(f"process {os.getpid()}, started ")
    again.close()


def test_to_look_at_a_lock_keeps_nobody_from_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not private.is_held(path)
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.001):
            private.is_held(path)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(200):
            private.hold(path, "the spool", "stop it").close()
    finally:
        ended.set()
        looker.join()


def test_a_lock_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="cannot be written: No such file"):
        private.hold(tmp_path / "nowhere" / "lock", "the spool", "make it")
