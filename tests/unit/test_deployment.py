"""docker-compose.yml, Dockerfile and their settings, checked as far as that goes without Docker."""

from __future__ import annotations

import contextlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from jsonschema.validators import validator_for

from deploy.lock import EXTRAS
from pipeline import config
from pipeline.config import Settings
from pipeline.errors import SettingsError
from pipeline.local.artefacts import KAFKA_VERSION
from pipeline.local.wiring import ALL_STAGES
from tests.commands import UsageError, parsed
from tests.deployments import SECRETS_NEEDED

ROOT = Path(__file__).parents[2]
SPECIFICATION = ROOT / "tests" / "data" / "specifications" / "compose-spec.json"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
#: The variables of the image that the product does not read: the port that the image's own check of its
#: health asks, and Python's own.
OF_THE_IMAGE = {"PATH", "PORT", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
PLACEHOLDER = re.compile(r"\$\{(\w+):-([^}]*)\}")


def resolved(text: str) -> str:
    """As compose reads it where the caller sets nothing."""
    return PLACEHOLDER.sub(lambda match: match[2], text)


def given_settings(name: str, directory: Path) -> Settings:
    """The settings as the process of a container reads them, with the secrets that it is given."""
    text = (ROOT / "deploy" / "compose.toml").read_text(encoding="utf-8")
    for secret in SERVICES[name]["secrets"]:
        source = ROOT / resolved(COMPOSE["secrets"][secret]["file"])
        (directory / secret).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    path = directory / "pipeline.toml"
    path.write_text(text.replace("/run/secrets", str(directory)), encoding="utf-8")
    given = SERVICES[name]["environment"]
    environ = {key: resolved(value) for key, value in given.items() if value is not None}
    return config.load(path, environ=environ, secrets=SECRETS_NEEDED.get(name), isolate=True)


@pytest.fixture(name="settings")
def _settings(tmp_path: Path) -> Settings:
    return given_settings("tools", tmp_path)


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
        *ALL_STAGES,
    }
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}", "as embedded, as tested"


@pytest.mark.parametrize("name", OURS)
def test_every_command_exists_with_its_options(name: str) -> None:
    parsed(OURS[name]["command"])
    mounted = [resolved(mount).split(":")[1] for mount in OURS[name]["volumes"]]
    assert OURS[name]["environment"]["PIPELINE_CONFIG"] in mounted


def test_every_variable_is_one_that_the_product_or_python_reads() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "pipeline").rglob("*.py"))
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8").partition("useradd")[2]
    (line,) = re.findall(r"^ENV (.*)$", dockerfile, re.MULTILINE)
    assert {part.partition("=")[0] for part in line.split()} == OF_THE_IMAGE
    for service in OURS.values():
        for name in set(service["environment"]) - {"PIPELINE__KAFKA__BOOTSTRAP", "PIPELINE__ARCHIVE__URL"}:
            assert f'"{name}"' in code
    assert config.parse(
        {}, {"PIPELINE__KAFKA__BOOTSTRAP": "a:1", "PIPELINE__ARCHIVE__URL": "file:///srv/archive"}
    ).archive.url


def test_an_unknown_option_would_be_noticed() -> None:
    with pytest.raises(UsageError):
        parsed(["gateway", "--no-such-option"])
    with pytest.raises(UsageError):
        parsed(["no-such-command"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_mounted_path_exists(name: str) -> None:
    for mount in SERVICES[name].get("volumes", ()):
        source = resolved(mount).partition(":")[0]
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


@pytest.mark.parametrize("name", SECRETS_NEEDED)
def test_every_container_has_the_secrets_that_its_process_reads_and_no_other(
    name: str, tmp_path: Path
) -> None:
    assert not given_settings(name, tmp_path).refused
    for secret in SERVICES[name]["secrets"]:
        fewer = tmp_path / secret
        kept = fewer.read_text(encoding="utf-8")
        fewer.unlink()
        path = tmp_path / "pipeline.toml"
        with contextlib.suppress(SettingsError):
            assert config.load(path, environ={}, secrets=SECRETS_NEEDED[name], isolate=True).refused, secret
        fewer.write_text(kept, encoding="utf-8")


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_has_its_bounds(name: str) -> None:
    service = SERVICES[name]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["logging"]["options"]["max-size"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "healthcheck" in service
    assert not service.get("privileged")
    assert name not in OURS or (service["read_only"] and service["init"])


def test_the_profiles_are_those_that_the_head_of_the_file_explains() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    named = {profile for service in SERVICES.values() for profile in service.get("profiles", ())}
    assert named == set(re.findall(r"^#   (\w+) {3,}", text, re.MULTILINE))
    for name, service in SERVICES.items():
        for other, how in dict(service.get("depends_on", {})).items():
            there = set(SERVICES[other].get("profiles", ())) <= set(service.get("profiles", ()))
            assert there or not how.get("required", True), f"{name} without {other}"


@pytest.mark.parametrize("name", ["status", "tools"])
def test_who_looks_at_all_is_told_of_the_containers_that_are_in_no_consumer_group(name: str) -> None:
    options, gateway = parsed(SERVICES[name]["command"]), parsed(SERVICES["gateway"]["command"])
    ports = {other: parsed(SERVICES[other]["command"])["port"] for other in ("erase", "reconcile")}
    ports["gateway"] = gateway["admin_port"]
    assert set(options["process"]) == {f"http://{other}:{port}" for other, port in ports.items()}
    assert name == "status" or options["gateway"] == f"http://gateway:{gateway['port']}"


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
    "name",
    ["gateway", "translate", "deliver", "erase", "reconcile", "sync", "archive", "status", "sandbox"],
)
def test_every_process_is_asked_for_its_health_where_it_listens(name: str) -> None:
    program, option, code = SERVICES[name]["healthcheck"]["test"][1:]
    assert (program, option) == ("python", "-c")
    compile(code, name, "exec")
    assert f"'http://127.0.0.1:{parsed(SERVICES[name]['command'])['port']}/readyz'" in code


@pytest.mark.parametrize("name", SERVICES)
def test_no_port_is_open_to_other_machines(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert port.startswith("127.0.0.1:")


def test_the_gateways_figures_are_there_for_containers_and_published_nowhere() -> None:
    options = parsed(SERVICES["gateway"]["command"])
    assert options["admin_host"] == "0.0.0.0"
    assert [port.split(":")[2] for port in SERVICES["gateway"]["ports"]] == [str(options["port"])]
    assert options["admin_port"] != options["port"]


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
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists()
                assert source in kept, f".dockerignore leaves {source} out"


def test_each_image_has_the_extra_that_its_processes_need_and_a_lock_of_it() -> None:
    assert "ARG EXTRA=\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    extras = {"sandbox": "sandbox", "status": "status", "archive": "archive"}
    extras |= {"erase": "archive", "tools": "archive"}
    for name, service in OURS.items():
        extra = extras.get(name)
        assert service["build"] == ({"context": ".", "args": {"EXTRA": extra}} if extra else "."), name
        assert service["image"] == "shop-connectif-pipeline" + (f"-{extra}" if extra else "")
        assert (ROOT / "deploy" / "locks" / f"{extra or 'plain'}.txt").is_file()


def test_every_extra_is_in_the_readme_and_those_for_running_may_be_in_an_image() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `\.\[(\w+)\]` \|", readme, re.MULTILINE)) == extras - {"bench"}
    # With `local` comes a broker: a container has another one.
    assert set(EXTRAS) == extras - {"bench", "dev", "docs", "local"}


def test_the_image_runs_a_python_that_ci_tests_and_as_nobody_special() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (version,) = re.findall(r"^ARG BASE=python:([\d.]+)-", text, re.MULTILINE)
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert version in workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert "\nUSER 10001:10001\n" in text
    assert f"uid={10001},gid={10001}" in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


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
