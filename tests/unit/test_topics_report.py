"""The table of `pipeline topics` fits a terminal of 80 columns, whatever the topics are called."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from pipeline import topics_report
from pipeline.config import Settings
from pipeline.config_stages import KafkaSettings
from pipeline.kafka import topics
from pipeline.kafka.topic_check import Report, TopicResult, TopicState


@pytest.mark.parametrize("prefix", ["", "a-team-with-a-long-name.shops."])
def test_every_topic_and_its_state_is_shown_in_80_columns(prefix: str) -> None:
    settings = Settings(kafka=KafkaSettings(topic_prefix=prefix, replication=3, min_insync=2))
    report = Report(tuple(TopicResult(topic, TopicState.CREATED) for topic in topics.table(settings)))
    out = StringIO()
    Console(file=out, width=80).print(topics_report._table(report, "127.0.0.1:23128"))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in out.getvalue()
    if not prefix:
        assert {result.topic.name for result in report.results} <= {line.split(" ")[0] for line in lines}
    assert sum(str(TopicState.CREATED) in line for line in lines) == len(report.results)
