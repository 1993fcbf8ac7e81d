"""What a Prometheus needs to watch the processes of `pipeline up`: addresses, and the rules for alerts."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from pipeline.errors import PipelineError
from pipeline.local import gateways

TARGETS, CONFIGURATION = "targets.json", "prometheus.yml"
RULES = ("alerts.yml", "service_levels.yml")
#: Prometheus runs as a user of its own, and nothing in the files is secret.
_READABLE, _ENTERED = 0o644, 0o755
#: As for the containers (grafana/prometheus/prometheus.yml). Prometheus sees when the targets change.
_CONFIGURATION = """\
# Made by `pipeline up --prometheus`, at each start: `prometheus --config.file=prometheus.yml`.
# A Prometheus of your own reads {targets} by file_sd_configs, and the rules by rule_files.
global:
  scrape_interval: 5s
  evaluation_interval: 15s
rule_files: [{rules}]
scrape_configs:
  - job_name: pipeline
    file_sd_configs:
      - files: [{targets}]
"""


def targets(urls: Mapping[str, str]) -> list[dict[str, object]]:
    """The processes as `file_sd_configs` reads them.

    Args:
        urls: of each process's HTTP side, by its name.
    """
    return [
        {
            "targets": [urlsplit(_asked(url)).netloc],
            "labels": {"process": gateways.GATEWAY if gateways.is_gateway(name) else name},
        }
        for name, url in urls.items()
        if name != "sandbox"  # it is none of the pipeline's
    ]


def write(directory: Path, urls: Mapping[str, str]) -> None:
    """Write the configuration, the rules and the targets into a directory, which is made.

    Raises:
        PipelineError: it cannot be written.
    """
    named = _CONFIGURATION.format(targets=TARGETS, rules=", ".join(RULES))
    files = {name: _rules(name) for name in RULES} | {CONFIGURATION: named.encode()}
    files[TARGETS] = orjson.dumps(targets(urls), option=orjson.OPT_INDENT_2)
    try:
        if not directory.is_dir():
            directory.mkdir(parents=True)
            directory.chmod(_ENTERED)
        for name, content in files.items():
            _replace(directory / name, content)
    except OSError as error:
        raise PipelineError(
            f"{error.filename or directory} cannot be written: {error.strerror}",
            hint="make room, or name another directory with --prometheus",
        ) from error


def _replace(path: Path, content: bytes) -> None:
    """Prometheus, which looks at any time, finds the old file or the new one."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.chmod(_READABLE)
    partial.replace(path)


def _rules(name: str) -> bytes:
    """As installed, or as the repository has them."""
    installed = resources.files("pipeline") / "monitoring" / name
    if installed.is_file():
        return installed.read_bytes()
    return (Path(__file__).parents[2] / "grafana" / "prometheus" / name).read_bytes()


def _asked(url: str) -> str:
    """Where a process that listens on all addresses is asked."""
    place = urlsplit(url)
    return gateways.asked_at(place.hostname or "", place.port or 0)
