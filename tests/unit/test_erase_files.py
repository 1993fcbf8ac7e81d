"""What is found is kept in rows of a bounded size, and files of this machine are rid of a person."""

from __future__ import annotations

from pathlib import Path

from pipeline.erase import found as found_module
from pipeline.erase.found import Found
from pipeline.erase.local_files import clean
from pipeline.erase.person import Person

NEEDLES = Person("acme", asked={"ann@x.example"}).address_needles()


def test_what_was_found_comes_back_from_its_rows() -> None:
    found = Found(
        addresses={"ann@x.example"},
        customers={"1"},
        entities={"order|11", "customer|1"},
        contacts={"acme|ann@x.example"},
        purchases={"acme|11"},
        ends={"connectif.contacts|0": 7},
        others={"other"},
        mentions=3,
        without_key=1,
    )
    for number in range(found_module.ROW_BYTES // 40):
        found.add("shop.orders", number % 4, b"acme|order|%d\x1fabc\xff" % number)
    rows = list(found.rows())
    assert len(rows) > 1
    assert max(map(len, rows)) <= found_module.ROW_BYTES + 200
    assert Found.of_rows(rows) == found


def test_lines_leave_rotated_logs_and_set_aside_files_leave_whole(tmp_path: Path) -> None:
    logs, spool = tmp_path / "logs", tmp_path / "gateway" / "spool"
    logs.mkdir()
    spool.mkdir(parents=True)
    (logs / "up.log.1").write_bytes(b"one\nof Ann@X.example\ntwo\n")
    (logs / "up.log.1").chmod(0o600)
    (logs / "up.log").write_bytes(b"of ann@x.example\n")
    (spool / "1.damaged").write_bytes(b"x" * 1_048_570 + b"ann@x.example")
    (spool / "2.damaged").write_bytes(b"joe@x.example")
    (tmp_path / "core.123").write_bytes(b"")
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "0.log").write_bytes(b"ann@x.example")
    counted = clean(tmp_path, NEEDLES, dry=True)
    assert (logs / "up.log.1").read_bytes().count(b"\n") == 3
    assert (spool / "1.damaged").exists()
    done = clean(tmp_path, NEEDLES)
    assert done == counted
    assert done.removed == 2
    assert (logs / "up.log.1").read_bytes() == b"one\ntwo\n"
    assert (logs / "up.log.1").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in spool.iterdir()] == ["2.damaged"]
    assert [line.partition(":")[0].rpartition("/")[2] for line in done.not_reached] == ["core.123", "up.log"]
