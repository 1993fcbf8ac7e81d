"""`pipeline archive` on a real broker: each event once, whatever is killed, and read by a replay."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from confluent_kafka import TopicPartition as ClientPartition
from confluent_kafka.admin import AdminClient

from pipeline.archive import parquet, writer
from pipeline.archive.access import event_reader
from pipeline.archive.files import Archive
from pipeline.archive.operate import writer as archive_writer
from pipeline.archive.removal import remove
from pipeline.archive.verify import Verified, verify
from pipeline.config import Settings
from pipeline.events import Kind
from pipeline.kafka.errors import RecordsGone
from pipeline.kafka.messages import LibrdkafkaMessage, TopicPartition
from pipeline.kafka.producer import Outgoing, Producer
from pipeline.kafka.ranges import LostRange
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config
from pipeline.kafka.topics import full_name
from pipeline.local.ports import free_port
from pipeline.private import InUse
from tests.broker import KafkaSettings
from tests.integration import replaying
from tests.local_http import http
from tests.processes import wait_until

pytestmark = pytest.mark.kafka

#: Events of the tests that need no stage.
EVENTS = 400


class Bench:
    """Topics with events of a test's own, and their archive."""

    def __init__(self, kafka: KafkaSettings, **archive: Any) -> None:
        self.tree: dict[str, Any] = {"archive": {"url": (kafka.directory / "archive").as_uri(), **archive}}
        self.settings: Settings = kafka(self.tree)
        self.path = kafka.write(self.tree)
        self.topic = full_name(self.settings, Kind.ORDER.topic)

    def put(self, first: int, last: int) -> None:
        """Events with these numbers."""
        messages = (
            Outgoing(self.topic, text * 50, b"acme-es|order|" + text, None, [("number", text)])
            for text in (b"%d" % number for number in range(first, last))
        )
        config = client_config(self.settings)
        with contextlib.closing(Producer(config, max_message_bytes=1_000_000)) as producer:
            producer.send_all(messages)

    def delete_before(self, offsets: dict[int, int]) -> None:
        """As retention does, by partition."""
        delete_before(self.settings, {TopicPartition(self.topic, part): at for part, at in offsets.items()})

    def ends(self) -> dict[int, int]:
        """The end of each partition."""
        with RangeReader(client_config(self.settings)) as reader:
            found = reader.offsets.ends(reader.offsets.partitions(self.topic))
        return {place.partition: end for place, end in found.items()}

    def archive(self) -> writer.Pass:
        """`archive run --once`, in this process."""
        with archive_writer(self.settings) as writing:
            writing.begin()
            return writing.write(everything=True)

    def read(self, **how: Any) -> dict[TopicPartition, list[LibrdkafkaMessage]]:
        """All events, as a replay reads them."""
        found: dict[TopicPartition, list[LibrdkafkaMessage]] = {}
        with event_reader(self.settings) as reader:
            for batch in reader.read(reader.ranges(self.topic), **how):
                found.setdefault(batch.place, []).extend(batch.messages())
        return found

    def verify(self) -> Verified:
        """`archive verify`, in this process."""
        with RangeReader(client_config(self.settings)) as reader:
            return verify(self.settings, Archive(self.settings), reader)

    def command(self, *words: str) -> subprocess.Popen[bytes]:
        """`pipeline archive`, as a process."""
        command = [sys.executable, "-m", "pipeline", "archive", *words, "--config", str(self.path)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def delete_before(settings: Settings, offsets: Mapping[TopicPartition, int]) -> None:
    """Delete what is older, as retention does."""
    admin = AdminClient(client_config(settings))
    wanted = [ClientPartition(*place, offset) for place, offset in offsets.items()]
    for future in admin.delete_records(wanted).values():
        future.result(30)


def numbers(found: dict[TopicPartition, list[LibrdkafkaMessage]]) -> list[int]:
    """Of the events, sorted."""
    keys = (message.key or b"" for part in found.values() for message in part)
    return sorted(int(key.rpartition(b"|")[2]) for key in keys)


def test_what_retention_deleted_is_read_from_the_archive_and_the_rest_from_the_topic(
    kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "FILE_BYTES", 10_000)
    monkeypatch.setattr(parquet, "GROUP_BYTES", 3_000)
    bench = Bench(kafka_settings)
    bench.put(0, EVENTS)
    whole = bench.read()
    done = bench.archive()
    assert done.events == EVENTS
    assert done.files > 4
    assert bench.archive().files == 0, "each once"
    ends = bench.ends()
    bench.put(EVENTS, EVENTS + 100)
    after = bench.read()
    bench.delete_before({0: ends[0] // 2, 1: ends[1]})
    assert bench.read() == after
    assert {place: part[: len(whole[place])] for place, part in after.items()} == whole
    assert numbers(after) == list(range(EVENTS + 100))
    found = bench.verify()
    assert (found.faults, found.rows, found.waiting) == ([], EVENTS, 100)
    # By time, too: the first event of the partition that the topic holds no more.
    place = TopicPartition(bench.topic, 0)
    with event_reader(bench.settings) as reader:
        at = after[place][5].timestamp
        [since] = [one for one in reader.ranges(bench.topic, start=at) if one.place == place]
        assert after[place][since.start].timestamp >= at
        assert since.start == 0 or after[place][since.start - 1].timestamp < at
        assert reader.ranges(bench.topic, until=1) == []
        told: list[tuple[int, int]] = []
        list(reader.read(reader.ranges(bench.topic), progress=lambda *said: told.append(said)))
        assert told[-1] == (EVENTS + 100, EVENTS + 100)
        assert told == sorted(told)


def test_what_was_deleted_before_it_was_archived_is_a_gap_with_a_name(
    kafka_settings: KafkaSettings,
) -> None:
    bench = Bench(kafka_settings)
    bench.put(0, 100)
    bench.archive()
    ends = bench.ends()
    bench.put(100, 300)
    bench.delete_before({0: ends[0] + 10, 1: ends[1]})
    bench.archive()
    [fault] = bench.verify().faults
    assert (fault.kind, fault.partition, fault.start, fault.end) == ("gap", 0, ends[0], ends[0] + 10)
    assert f"the offsets {ends[0]} to {ends[0] + 9} are neither in the archive nor in the topic" in fault.text
    bench.delete_before(bench.ends())
    with pytest.raises(RecordsGone, match="neither in the topic nor in the archive"):
        bench.read()
    lost: list[LostRange] = []
    assert len(numbers(bench.read(on_lost=lost.append))) == 290
    assert [(one.start, one.end) for one in lost] == [(ends[0], ends[0] + 10)]
    with bench.command("verify", "--quick", "--json") as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert [found["kind"] for found in orjson.loads(out)["faults"]] == ["gap"]


def test_an_archive_of_another_topic_of_the_same_name_is_left_alone(
    kafka_settings: KafkaSettings,
) -> None:
    bench = Bench(kafka_settings)
    bench.put(0, 100)
    bench.archive()
    kafka_settings.remove_topics()
    wait_until(lambda: bench.topic not in kafka_settings.cluster.names(), 30)
    kafka_settings(bench.tree)
    bench.put(0, 10)
    with pytest.raises(writer.AnotherTopic, match="the topic was made anew"):
        bench.archive()
    assert {fault.kind for fault in bench.verify().faults} == {"another_topic"}


def test_an_event_that_was_removed_from_topic_and_archive_is_not_read_and_leaves_no_gap(
    kafka_settings: KafkaSettings,
) -> None:
    bench = Bench(kafka_settings)
    bench.put(0, 50)
    bench.archive()
    bench.delete_before(bench.ends())
    assert remove(Archive(bench.settings), lambda row: row.key() == b"acme-es|order|7").rows == 1
    assert numbers(bench.read()) == [number for number in range(50) if number != 7]
    assert bench.verify().faults == []


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from pipeline import config
from pipeline.archive import operate, parquet, writer
writer.FILE_BYTES = 4_000
parquet.GROUP_BYTES = 1_000
lines = int(sys.argv[2])
def trace(frame, event, argument):
    global lines
    if "pipeline/archive/" not in frame.f_code.co_filename:
        return None
    if event == "line":
        lines -= 1
        if lines == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return trace
with operate.writer(config.load(Path(sys.argv[1]))) as writing:
    sys.settrace(trace)
    writing.begin()
    writing.write(everything=True)
sys.settrace(None)
print(lines)
"""


@pytest.mark.slow
def test_killed_at_any_line_it_goes_on_and_each_event_is_there_once(kafka_settings: KafkaSettings) -> None:
    bench = Bench(kafka_settings)
    bench.put(0, 60)
    whole = bench.read()
    bench.delete_before(killed_until_it_is_done(bench, step=37))
    assert bench.read() == whole
    assert bench.verify().faults == []


def test_killed_at_some_lines_it_goes_on_and_each_event_is_there_once(
    kafka_settings: KafkaSettings,
) -> None:
    bench = Bench(kafka_settings)
    bench.put(0, 60)
    whole = bench.read()
    bench.delete_before(killed_until_it_is_done(bench, step=901))
    assert bench.read() == whole
    assert bench.verify().faults == []


def killed_until_it_is_done(bench: Bench, step: int) -> dict[int, int]:
    """Archive with a process that is killed after so many lines, each time some more; the ends at last."""
    lines, kills = 1, 0
    while True:
        command = [sys.executable, "-c", KILLED_AT, str(bench.path), str(lines)]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        if done.returncode == 0:
            assert kills > 1
            return bench.ends()
        assert done.returncode == -9, done.stderr.decode()
        lines, kills = lines + step, kills + 1


def test_the_process_archives_by_itself_and_says_what_is_wrong_while_it_cannot(
    kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    (tmp_path / "archive").write_text("in the way")
    bench = Bench(kafka_settings, max_wait=1.0)
    bench.put(0, 20)
    port = free_port()
    with bench.command("run", "--port", str(port)) as process:
        try:
            wait_until(
                lambda: asked(port, "readyz")[0] == 503 and "cannot be" in asked(port, "readyz")[1], 30
            )
            assert failures(port) > 0
            (tmp_path / "archive").unlink()
            wait_until(lambda: asked(port, "readyz")[0] == 200, 30)
            wait_until(lambda: "lag_offsets{topic=" in asked(port, "metrics")[1] and lag(port) == 0, 30)
            with pytest.raises(InUse, match="the archive is in use by process"):
                bench.archive()
        finally:
            process.terminate()
            _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err.decode()
    with bench.command("list", "--json") as process:
        out, _ = process.communicate(timeout=60)
    assert sum(row["end"] - row["start"] for row in orjson.loads(out)) == 20


def asked(port: int, path: str) -> tuple[int, str]:
    """What the process answers."""
    with contextlib.suppress(httpx.HTTPError):
        answer = http.get(f"http://127.0.0.1:{port}/{path}", timeout=5)
        return answer.status_code, answer.text
    return 0, ""


def series(port: int, name: str) -> list[float]:
    """The values of a series."""
    return [
        float(line.split()[-1]) for line in asked(port, "metrics")[1].splitlines() if line.startswith(name)
    ]


def failures(port: int) -> float:
    """Passes that failed."""
    return sum(series(port, "pipeline_archive_failures_total"))


def lag(port: int) -> float:
    """Offsets that are not archived."""
    return sum(series(port, "pipeline_archive_lag_offsets"))


@pytest.fixture(name="play")
def _play(kafka_settings: KafkaSettings) -> Iterator[replaying.Site]:
    with replaying.site(kafka_settings) as made:
        made.tree["archive"] = {"url": (kafka_settings.directory / "archive").as_uri()}
        made.path = kafka_settings.write(made.tree)
        yield made


@pytest.mark.slow
def test_a_replay_of_events_that_the_topic_holds_no_more_fills_the_account_from_the_archive(
    play: replaying.Site,
) -> None:
    orders = 40
    for number in range(1, orders + 1):
        play.say(number)
    wait_until(lambda: len(play.purchases()) == orders, 60, every=0.2)
    wait_until(play.ended, 30, every=0.2)
    before = set(play.purchases())
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "archive",
        "run",
        "--once",
        "--json",
        "--config",
        str(play.path),
    ]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert orjson.loads(done.stdout)["events"] == orders
    topic = full_name(play.settings, Kind.ORDER.topic)
    with RangeReader(client_config(play.settings)) as reader:
        ends = reader.offsets.ends(reader.offsets.partitions(topic))
    admin = AdminClient(client_config(play.settings))
    for future in admin.delete_records(
        [ClientPartition(*place, end) for place, end in ends.items()]
    ).values():
        future.result(30)
    play.lose_everything()

    with play.replay("start", "--force", "--store", replaying.STORE, "--json") as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()
    assert f"shop.orders: {orders} of the range's offsets are read from the archive file:" in err.decode()
    found = orjson.loads(out)
    assert (found["status"], found["events_repeated"], found["dead"]) == ("done", orders, 0)
    assert play.purchases() == dict.fromkeys(before, 1)

    trace = [sys.executable, "-m", "pipeline", "trace", replaying.STORE, "order", "7", "--json"]
    done = subprocess.run([*trace, "--config", str(play.path)], capture_output=True, timeout=60, check=True)
    [life] = orjson.loads(done.stdout)["entities"]
    assert life["whole"]
    assert len(life["events"]) == 1, "the event is in the archive alone"
