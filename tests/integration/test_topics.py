"""`pipeline topics` against a real cluster."""

from __future__ import annotations

import pytest

from pipeline import topics
from tests.broker import KafkaSettings

pytestmark = pytest.mark.kafka


def test_missing_topics_are_created_and_found_good_afterwards(kafka_settings: KafkaSettings) -> None:
    settings = kafka_settings(create=False)

    created = topics.ensure(settings)
    again = topics.ensure(settings)

    assert {verdict.state for verdict in created.verdicts} == {topics.State.CREATED}
    assert {verdict.state for verdict in again.verdicts} == {topics.State.OK}
    assert topics.verify(settings).problems == ()
