"""All examinations at once, each with its time; none that fails or hangs stops the others."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

from pipeline import config
from pipeline.config import Settings
from pipeline.config_values import NO_SECRETS
from pipeline.doctor import (
    certificate,
    disk,
    kafka,
    permissions,
    processes,
    reachability,
    settings,
    versions,
    webhook,
)
from pipeline.doctor.context import Context
from pipeline.doctor.findings import Finding, Verdict, count, problem, worst_first
from pipeline.errors import PipelineError, SettingsError

log = logging.getLogger(__name__)


class Examination(NamedTuple):
    """One of them.

    Attributes:
        name: its subject, should it come to nothing.
        examine: the work.
        alone: whether it needs no secrets and no other machine.
        seconds: that it may take.
    """

    name: str
    examine: Callable[[Context], list[Finding]]
    alone: bool = False
    seconds: float = 20.0


EXAMINATIONS = (
    Examination(settings.SETTINGS, settings.examine, alone=True),
    Examination(kafka.KAFKA, kafka.examine, seconds=30.0),
    Examination(processes.PROCESSES, processes.examine),
    Examination(webhook.WEBHOOK, webhook.examine, seconds=30.0),
    Examination("connectif, shops, clock", reachability.examine, seconds=30.0),
    Examination(certificate.CERTIFICATE, certificate.examine),
    Examination(disk.DISK, disk.examine, alone=True),
    Examination(permissions.PERMISSIONS, permissions.examine, alone=True),
    Examination(versions.VERSIONS, versions.examine, alone=True),
)


def diagnose(
    path: Path,
    processes: Sequence[str] = (),
    gateway: str | None = None,
) -> tuple[list[Finding], int]:
    """Examine everything; what was found, the worst first, and the exit code.

    Args:
        path: the settings file.
        processes: addresses of processes that are in no consumer group, on other machines.
        gateway: where the gateway answers, if not where `pipeline up` says.
    """
    found, unusable = _settings(path)
    if found is None:
        said = unusable.message if unusable else ""
        return [
            problem(settings.SETTINGS, said, "correct it, see `pipeline validate`; nothing else was tried")
        ], 2
    context = Context(path, found, tuple(processes), gateway)
    wanted = [one for one in EXAMINATIONS if unusable is None or one.alone]
    findings = examined(wanted, context)
    if unusable is not None:
        left = ", ".join(one.name for one in EXAMINATIONS if not one.alone)
        findings.append(
            problem(settings.SECRETS, f"not tried without them: {left}", "set them, and ask again")
        )
        return worst_first(findings), SettingsError.exit_code
    return worst_first(findings), int(count(findings, Verdict.PROBLEM) > 0)


def _settings(path: Path) -> tuple[Settings | None, SettingsError | None]:
    """The settings; without secrets where one is missing that all need; None where there are none at all."""
    try:
        return config.load(path, isolate=True), None
    except SettingsError as error:
        try:
            return config.load(path, secrets=NO_SECRETS, isolate=True), error
        except SettingsError as worse:
            return None, worse


def examined(examinations: Sequence[Examination], context: Context) -> list[Finding]:
    """What each came to. One that takes too long is left behind: it changes nothing."""
    began = time.monotonic()
    found: list[Finding] = []
    for one, answer in [(one, _begun(one, context)) for one in examinations]:
        try:
            found += answer.result(max(0.0, began + one.seconds - time.monotonic()))
        except TimeoutError:
            todo = "what it asks hangs: see the other findings, and ask again"
            found.append(problem(one.name, f"not done within {one.seconds:g} s", todo))
        except PipelineError as error:
            found.append(problem(one.name, error.message, error.hint or "see docs/doctor.md"))
        except Exception as error:
            # Without its text, which may repeat an answer.
            log.debug("examination %s failed", one.name, exc_info=True)
            said = f"it could not be examined ({type(error).__name__})"
            found.append(problem(one.name, said, "report it"))
    return found


def _begun(one: Examination, context: Context) -> Future[list[Finding]]:
    """On a thread that the program's end does not wait for."""
    answer: Future[list[Finding]] = Future()

    def work() -> None:
        try:
            answer.set_result(one.examine(context))
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is read
            answer.set_exception(error)

    threading.Thread(target=work, name=one.name, daemon=True).start()
    return answer
