"""Threads that ask for groups at once share one client of Kafka."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.kafka import groups


def test_threads_share_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Client:
        def __init__(self, *_: Any, **__: Any) -> None:
            made.append(self)
            time.sleep(0.05)

        def describe_consumer_groups(self, names: list[str], **_: Any) -> dict[str, Any]:
            return {name: SimpleNamespace(result=lambda **_: SimpleNamespace(members=[])) for name in names}

    monkeypatch.setattr(groups, "AdminClient", Client)
    asked = groups.Groups({})
    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(lambda name: asked.members(name, 1.0), "abc")) == [[], [], []]
    assert len(made) == 1
