"""deploy/kubernetes: what `kubectl kustomize` makes of it keeps the schemas, and names what there is."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from deploy import rules
from pipeline import config
from pipeline.config import Settings
from pipeline.errors import SettingsError
from pipeline.local.wiring import ALL_STAGES
from pipeline.observe import observe_app
from tests.commands import parsed
from tests.deployments import SECRETS_NEEDED

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "deploy" / "kubernetes"
SPECIFICATION: dict[str, Any] = json.loads(
    (ROOT / "tests/data/specifications/kubernetes-1.32.json").read_text(encoding="utf-8")
)
COMPONENT = "app.kubernetes.io/component"
#: Not here: an archive needs a storage that its pods share, which only the installation knows.
ABSENT = "archive"
NEEDS = {name: needs for name, needs in SECRETS_NEEDED.items() if name != ABSENT}
PROCESSES = set(ALL_STAGES) - {ABSENT}

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


@functools.cache
def objects() -> tuple[dict[str, Any], ...]:
    """All that the example makes."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(MANIFESTS / "example")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(*kinds: str) -> dict[str, dict[str, Any]]:
    """The objects of some kinds, by name."""
    return {one["metadata"]["name"]: one for one in objects() if one["kind"] in kinds}


def workloads() -> dict[str, dict[str, Any]]:
    return of_kind("StatefulSet", "Deployment", "Job")


def container(workload: dict[str, Any]) -> dict[str, Any]:
    (one,) = workload["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = one
    return found


def validate(one: dict[str, Any]) -> None:
    """Raises ValidationError where it is not as Kubernetes, or the Prometheus operator, has it."""
    group, _, version = one["apiVersion"].rpartition("/")
    name = "-".join(filter(None, (one["kind"].lower(), group.partition(".")[0], version)))
    schema = {"$ref": f"#/$defs/{name}", "$defs": SPECIFICATION["$defs"]}
    Draft202012Validator(schema).validate(one)


def mounted(workload: dict[str, Any]) -> set[str]:
    """Where the secrets of a workload are."""
    mounts = container(workload)["volumeMounts"]
    return {mount["mountPath"] for mount in mounts if mount["mountPath"].startswith("/run/secrets/")}


def settings_of(name: str, directory: Path, mounts: set[str]) -> Settings:
    """The settings as a process reads them that has some of the secrets."""
    (settings,) = (one for one in objects() if one["kind"] == "ConfigMap")
    text = settings["data"]["pipeline.toml"]
    for path in re.findall(r'"(/run/secrets/[^"]+)"', text):
        place = directory / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if str(Path(path).parent) in mounts:
            place.write_text("acme:not-a-secret", encoding="utf-8")
        else:
            place.unlink(missing_ok=True)
    path = directory / "pipeline.toml"
    path.write_text(text.replace("/run/secrets", f"{directory}/run/secrets"), encoding="utf-8")
    return config.load(path, environ={}, secrets=NEEDS[name], isolate=True)


def test_the_rules_of_the_operator_are_those_of_prometheus() -> None:
    assert rules.FILE.read_text(encoding="utf-8") == rules.text(), "run `python -m deploy.rules`"
    rule = yaml.safe_load(rules.text())
    validate(rule)
    assert sum(len(group["rules"]) for group in rule["spec"]["groups"]) > 50


@needs_kubectl
def test_every_object_keeps_its_schema() -> None:
    for one in objects():
        validate(one)


@needs_kubectl
def test_a_field_that_there_is_not_is_noticed() -> None:
    wrong = json.loads(json.dumps(of_kind("StatefulSet")["gateway"]))
    container(wrong)["readinesProbe"] = {}
    with pytest.raises(ValidationError, match="readinesProbe"):
        validate(wrong)


@needs_kubectl
def test_every_process_is_there_and_those_that_remember_have_disks() -> None:
    assert set(workloads()) == PROCESSES | {"topics"}
    assert set(of_kind("StatefulSet")) == PROCESSES - {"status"}
    assert set(of_kind("PodDisruptionBudget")) == set(of_kind("StatefulSet"))


@needs_kubectl
async def test_every_command_port_and_probe_is_there() -> None:
    answered: list[int] = []

    async def send(message: Any) -> None:
        answered.extend([message["status"]] if "status" in message else [])

    async def receive() -> Any:
        return {}

    app = observe_app("status", lambda: None)
    for name, workload in workloads().items():
        found = container(workload)
        options = parsed([word.replace("$(POD_NAME)", f"{name}-0") for word in found["args"]])
        if name == "topics":
            continue
        ports = [options["port"], *([options["admin_port"]] if name == "gateway" else [])]
        assert [port["containerPort"] for port in found["ports"]] == ports
        line = found["args"][: found["args"].index("--host")]
        assert parsed(line)["port"] == options["port"], "as the command has it"
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            await app({"path": found[probe]["httpGet"]["path"]}, receive, send)
    assert answered == [200] * 3 * len(PROCESSES)


@needs_kubectl
def test_a_service_a_budget_and_a_policy_choose_pods_there_are() -> None:
    pods = [workload["spec"]["template"]["metadata"]["labels"] for workload in workloads().values()]
    selectors = [one["spec"]["selector"] for one in of_kind("Service").values()]
    selectors += [one["spec"]["selector"]["matchLabels"] for one in of_kind("PodDisruptionBudget").values()]
    for policy in of_kind("NetworkPolicy").values():
        chosen = policy["spec"]["podSelector"]
        selectors.append(chosen.get("matchLabels", {}))
        for expression in chosen.get("matchExpressions", ()):
            selectors += [{expression["key"]: value} for value in expression["values"]]
    assert all(any(selector.items() <= labels.items() for labels in pods) for selector in selectors)


@needs_kubectl
def test_the_status_page_asks_every_pod_that_is_in_no_consumer_group() -> None:
    asked = set(parsed(container(workloads()["status"])["args"])["process"])
    sets = of_kind("StatefulSet")
    wanted = set()
    for name in ("gateway", "erase", "reconcile"):
        port = container(sets[name])["ports"][-1]["containerPort"]
        for number in range(sets[name]["spec"]["replicas"]):
            wanted.add(f"http://{name}-{number}.{sets[name]['spec']['serviceName']}:{port}")
    assert asked == wanted


@needs_kubectl
@pytest.mark.parametrize("name", NEEDS)
def test_every_pod_has_the_secrets_that_its_process_reads_and_no_other(name: str, tmp_path: Path) -> None:
    mounts = mounted(workloads()[name])
    assert not settings_of(name, tmp_path, mounts).refused
    named = {"/run/secrets/http", "/run/secrets/kafka", "/run/secrets/connectif", "/run/secrets/shops"}
    for mount in mounts & named:
        try:
            refused = settings_of(name, tmp_path, mounts - {mount}).refused
        except SettingsError:
            continue
        assert refused or mount == "/run/secrets/kafka", f"{name} does not need {mount}"


@needs_kubectl
def test_what_is_kept_lies_on_the_disk_and_fits(tmp_path: Path) -> None:
    settings = settings_of("gateway", tmp_path, mounted(workloads()["gateway"]))
    for workload in of_kind("StatefulSet").values():
        (claim,) = workload["spec"]["volumeClaimTemplates"]
        (mount,) = (one for one in container(workload)["volumeMounts"] if one["name"] == "data")
        assert claim["metadata"]["name"] == "data"
        assert Path(mount["mountPath"]) in settings.data_dir.parents, "a directory of the process's own"
    size = of_kind("StatefulSet")["gateway"]["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]
    assert settings.gateway.spool_max_bytes < int(size["requests"]["storage"].removesuffix("Gi")) * 2**30


@needs_kubectl
def test_no_pod_may_more_than_it_must() -> None:
    for workload in workloads().values():
        pod, one = workload["spec"]["template"]["spec"], container(workload)
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"]
        assert f"USER {pod['securityContext']['runAsUser']}:" in (ROOT / "Dockerfile").read_text()
        assert one["securityContext"]["readOnlyRootFilesystem"]
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert one["resources"]["limits"]["memory"]


@needs_kubectl
def test_prometheus_knows_the_processes_by_the_labels_that_the_rules_use() -> None:
    (monitor,) = of_kind("ServiceMonitor").values()
    (endpoint,) = monitor["spec"]["endpoints"]
    set_labels = {one["targetLabel"]: one for one in endpoint["relabelings"]}
    assert set_labels["job"]["replacement"] == "pipeline"
    assert set_labels["process"]["sourceLabels"] == [
        "__meta_kubernetes_pod_label_" + re.sub(r"[./]", "_", COMPONENT)
    ]
    chosen = monitor["spec"]["selector"]["matchLabels"].items()
    scraped = [one for one in of_kind("Service").values() if chosen <= one["metadata"]["labels"].items()]
    assert {one["metadata"]["labels"][COMPONENT] for one in scraped} == PROCESSES
    assert len(scraped) == len(PROCESSES), "each pod once"
    assert all(one["spec"]["ports"][0]["name"] == endpoint["port"] for one in scraped)


@needs_kubectl
def test_the_gateways_figures_are_where_webhooks_do_not_come() -> None:
    found = container(workloads()["gateway"])
    shops, operators = found["ports"]
    options = parsed(found["args"])
    assert (options["admin_host"], options["admin_port"]) == ("0.0.0.0", operators["containerPort"])
    services = of_kind("Service")
    assert services["gateway"]["spec"]["ports"][0]["targetPort"] == shops["name"]
    assert services["gateway-pods"]["spec"]["ports"][0]["targetPort"] == operators["name"]
    (let_in,) = of_kind("NetworkPolicy")["webhooks"]["spec"]["ingress"]
    assert [port["port"] for port in let_in["ports"]] == [shops["containerPort"]]


@needs_kubectl
def test_the_network_lets_webhooks_kafka_and_the_apis_pass(tmp_path: Path) -> None:
    policies = of_kind("NetworkPolicy")
    (webhooks,) = policies["webhooks"]["spec"]["ingress"][0]["ports"]
    assert webhooks["port"] == container(workloads()["gateway"])["ports"][0]["containerPort"]
    settings = settings_of("gateway", tmp_path, mounted(workloads()["gateway"]))
    kafka = policies["pipeline"]["spec"]["egress"][1]["ports"][2]
    for server in (settings.kafka.bootstrap or "").split(","):
        assert kafka["port"] <= int(server.rpartition(":")[2]) <= kafka["endPort"]
    asking = policies["apis"]["spec"]["podSelector"]["matchExpressions"][0]["values"]
    assert set(asking) == {name for name, needs in NEEDS.items() if needs & {"api_key"}} | {"sync"}
    assert {urlsplit(account.base_url).scheme for account in settings.accounts.values()} == {"https"}
