"""docker-compose.yml, Dockerfile and their settings, checked as far as that goes without Docker."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from jsonschema.validators import validator_for

from pipeline import config
from pipeline.config import Settings
from pipeline.local.artefacts import KAFKA_VERSION
from tests.commands import UsageError, parsed

ROOT = Path(__file__).parents[2]
SPECIFICATION = ROOT / "tests" / "data" / "specifications" / "compose-spec.json"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
PLACEHOLDER = re.compile(r"\$\{(\w+):-(.*)\}")


def environment() -> dict[str, str]:
    """The secrets a container gets where the caller sets none."""
    given = SERVICES["gateway"]["environment"]
    return {name: match[2] for name, text in given.items() if (match := PLACEHOLDER.fullmatch(text))}


@pytest.fixture(name="settings")
def _settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    return config.load(ROOT / "deploy" / "compose.toml", environ={})


def test_the_compose_file_keeps_the_specification() -> None:
    specification = json.loads(SPECIFICATION.read_text(encoding="utf-8"))
    validator_for(specification)(specification).validate(COMPOSE)


def test_every_process_and_its_surroundings_are_there() -> None:
    assert set(SERVICES) >= {
        "kafka",
        "gateway",
        "translate",
        "deliver",
        "erase",
        "sandbox",
        "prometheus",
        "grafana",
    }
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}", "as embedded, as tested"


@pytest.mark.parametrize("name", OURS)
def test_every_command_exists_with_its_options(name: str) -> None:
    assert Path("/etc/pipeline/pipeline.toml") in parsed(OURS[name]["command"]).values()


def test_an_unknown_option_would_be_noticed() -> None:
    with pytest.raises(UsageError):
        parsed(["gateway", "--no-such-option"])
    with pytest.raises(UsageError):
        parsed(["no-such-command"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_mounted_path_exists(name: str) -> None:
    for mount in SERVICES[name].get("volumes", ()):
        source = mount.partition(":")[0]
        if source.startswith("."):
            assert (ROOT / source).exists(), source
        else:
            assert source in COMPOSE["volumes"]


def test_every_dependency_is_a_service() -> None:
    for service in SERVICES.values():
        assert set(service.get("depends_on", ())) <= set(SERVICES)


def test_the_settings_load_with_the_secrets_the_containers_get(settings: Settings) -> None:
    assert {store.platform for store in settings.stores.values()} == {"shopify", "woocommerce"}
    assert Path(str(settings.data_dir)) == Path("/var/lib/pipeline")


@pytest.mark.parametrize("name", ["topics", "gateway", "translate", "deliver", "sandbox"])
def test_every_variable_that_the_settings_read_is_given_to_the_containers_and_no_other(name: str) -> None:
    text = (ROOT / "deploy" / "compose.toml").read_text(encoding="utf-8")
    assert set(SERVICES[name]["environment"]) == set(re.findall(r'env = "(\w+)"', text))


def test_workers_in_containers_answer_one_another(settings: Settings) -> None:
    assert settings.http_token is not None
    for name in ("translate", "deliver"):
        assert parsed(SERVICES[name]["command"])["host"] == "0.0.0.0"


def test_the_settings_name_the_services_by_their_ports(settings: Settings) -> None:
    listeners = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert f"//{settings.kafka.bootstrap}" in listeners
    for account in settings.accounts.values():
        place = urlsplit(account.base_url)
        assert place.hostname == "sandbox"
        assert parsed(SERVICES["sandbox"]["command"])["port"] == place.port


@pytest.mark.parametrize(
    "name", ["gateway", "translate", "deliver", "erase", "reconcile", "sync", "status", "sandbox"]
)
def test_every_process_is_asked_for_its_health_where_it_listens(name: str) -> None:
    program, option, code = SERVICES[name]["healthcheck"]["test"][1:]
    assert (program, option) == ("python", "-c")
    compile(code, name, "exec")
    assert f"'http://localhost:{parsed(SERVICES[name]['command'])['port']}/readyz'" in code


@pytest.mark.parametrize("name", SERVICES)
def test_no_port_is_open_to_other_machines(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert port.startswith("127.0.0.1:")


def test_each_account_is_fed_by_one_store(settings: Settings) -> None:
    accounts = [account for store in settings.stores.values() for account in store.accounts]
    assert len(set(accounts)) == len(accounts)


def test_what_the_pipeline_keeps_lies_on_volumes(settings: Settings) -> None:
    for name in ("gateway", "translate", "deliver", "erase"):
        assert f"{name}:{settings.data_dir}" in SERVICES[name]["volumes"]


def test_the_image_has_what_the_build_needs() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in text.splitlines():
        if line.startswith("COPY "):
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists()
                assert source in kept, f".dockerignore leaves {source} out"


def test_the_images_of_the_sandbox_and_of_the_status_page_alone_have_their_extras() -> None:
    assert "ARG EXTRAS=\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    images = {name: (service["build"], service["image"]) for name, service in OURS.items()}
    for name in ("sandbox", "status"):
        build, image = images.pop(name)
        assert build["args"] == {"EXTRAS": f"[{name}]"}
        assert image != images["gateway"][1]
    assert all(other == (".", images["gateway"][1]) for other in images.values())


def readable() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", readable(), ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (path.parent / link).exists(), link


def test_the_readme_names_commands_and_steps_there_are() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"`(?:\.venv/bin/)?pipeline ([a-z][^`]*)`", text)
    assert len(commands) > 8
    for command in commands:
        parsed(command.split())
    steps = re.findall(r"(?:make|make\.py) ([a-z]+)", text)
    known = set(re.findall(r'"(\w+)": \[', (ROOT / "make.py").read_text(encoding="utf-8")))
    assert {"demo", "test", "setup"} <= set(steps) <= known
