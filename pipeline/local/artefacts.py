"""Kafka's jars: resolved and downloaded once, then found in the user's cache without a network."""

from __future__ import annotations

import fcntl
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.errors import BrokerError
from pipeline.local.java import INSTALL_HINT

KAFKA_VERSION = "4.3.0"
#: kafka-clients is named too: without it the resolver takes 3.9.1 from log4j's parent: the broker fails.
ENDPOINT = "+".join(
    (
        f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
        f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}",
        "org.apache.logging.log4j:log4j-slf4j2-impl:2.25.1",
    )
)


def cache_dir() -> Path:
    """Where this program caches downloads: `PIPELINE_CACHE`, else the platform's cache directory."""
    if named := os.environ.get("PIPELINE_CACHE"):
        return Path(named)
    home = Path.home()
    if sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "shop-connectif-pipeline"


def class_path(say: Callable[[str], None] = lambda _: None) -> list[Path]:
    """The jars of the broker; `say` is called when they have to be fetched, which takes 20 s and more.

    Raises:
        BrokerError: they are not cached and cannot be fetched.
    """
    directory = cache_dir() / f"kafka-{KAFKA_VERSION}"
    listing = directory / "class-path.json"
    try:
        if jars := _listed(listing):
            return jars
        directory.mkdir(parents=True, exist_ok=True)
        # Two first starts at once: the second waits, then finds the list.
        with (directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if jars := _listed(listing):
                return jars
            say(f"fetching Apache Kafka {KAFKA_VERSION} (45 MB, once)")
            jars = _fetch(directory)
            partial = listing.with_suffix(".partial")
            partial.write_text(json.dumps({"endpoint": ENDPOINT, "jars": [str(jar) for jar in jars]}))
            partial.replace(listing)
    except OSError as error:
        raise BrokerError(
            f"the cache {directory} cannot be used: {error.strerror}",
            hint="make room there or name another directory in PIPELINE_CACHE",
        ) from error
    return jars


def _listed(listing: Path) -> list[Path] | None:
    """The cached list, if it is of this version and every file of it is still there."""
    try:
        tree = json.loads(listing.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    jars = [Path(name) for name in tree["jars"]] if tree.get("endpoint") == ENDPOINT else []
    return jars if jars and all(jar.is_file() for jar in jars) else None


def _fetch(directory: Path) -> list[Path]:
    if importlib.util.find_spec("jgo") is None:
        raise BrokerError("jgo, which fetches Kafka, is not installed", hint=INSTALL_HINT)
    jgo: Any = importlib.import_module("jgo")
    try:
        return [Path(jar) for jar in jgo.build(ENDPOINT, cache_dir=directory).all_jars]
    except (OSError, RuntimeError, ValueError) as error:
        # requests' errors are OSErrors without a strerror; a full disk has one.
        if isinstance(error, OSError) and error.strerror:
            raise
        raise BrokerError(
            f"Apache Kafka {KAFKA_VERSION} is not cached in {directory}, and cannot be fetched: "
            + _short(str(error)),
            hint="connect to the network for the first start, or set kafka.bootstrap to a cluster of yours",
        ) from error


def _short(text: str, limit: int = 300) -> str:
    return text if len(text) <= limit else text[:limit] + " ..."
