"""The rules a cluster must keep: what is refused, what differs, what may be altered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pipeline.config import Settings
from pipeline.config_stages import KafkaSettings
from pipeline.kafka import topic_check, topics
from pipeline.kafka.admin import ExistingTopic, Facts
from pipeline.kafka.tombstones import WHILE_REMOVING
from pipeline.kafka.topic_check import TopicState
from pipeline.kafka.topics import DAY_MS

GOOD_BROKER = {
    "unclean.leader.election.enable": "false",
    "offsets.topic.replication.factor": "3",
    "offsets.retention.minutes": "10080",
    "socket.request.max.bytes": "104857600",
}


def settings_for(brokers: int, **kafka: Any) -> Settings:
    safe = {"replication": min(3, brokers), "min_insync": min(2, brokers)}
    return Settings(kafka=KafkaSettings(**(safe | kafka)))


def facts_of(settings: Settings, brokers: int = 3, **broker: str) -> Facts:
    """A cluster on which every topic is as it must be, with broker settings of its own."""
    settings_of_broker = GOOD_BROKER | {name.replace("_", "."): value for name, value in broker.items()}
    existing = {
        topic.name: ExistingTopic(topic.partitions, topic.replication, dict(topic.config))
        for topic in topics.table(settings)
    }
    return Facts(dict.fromkeys(range(1, brokers + 1), settings_of_broker), existing)


def with_config(facts: Facts, name: str, config: Mapping[str, str]) -> Facts:
    topic = facts.topics[name]
    return replace(facts, topics={**facts.topics, name: replace(topic, config={**topic.config, **config})})


def differences_of(settings: Settings, facts: Facts, name: str) -> tuple[topic_check.TopicDifference, ...]:
    report = topic_check.examine(settings, facts)
    return next(result.differences for result in report.results if result.topic.name == name)


def test_a_sound_cluster_has_no_problems() -> None:
    settings = settings_for(3)
    report = topic_check.examine(settings, facts_of(settings))
    assert report.problems == ()
    assert {result.state for result in report.results} == {TopicState.OK}


def test_a_single_broker_of_ones_own_is_accepted() -> None:
    settings = settings_for(1)
    assert topic_check.examine(settings, facts_of(settings, brokers=1)).problems == ()


@pytest.mark.parametrize(
    ("kafka", "brokers", "broker", "said"),
    [
        ({"replication": 1, "min_insync": 1}, 3, {}, "kafka.replication = 1 on 3 brokers"),
        ({"min_insync": 1}, 3, {}, "kafka.min_insync = 1 on 3 brokers"),
        (
            {"replication": 2, "min_insync": 3},
            3,
            {},
            "kafka.min_insync = 3 is more than",
        ),
        ({}, 3, {"unclean_leader_election_enable": "true"}, "unclean.leader.election.enable = true"),
        ({}, 3, {"offsets_topic_replication_factor": "1"}, "offsets.topic.replication.factor = 1"),
        ({}, 3, {"offsets_retention_minutes": "60"}, "offsets.retention.minutes = 60"),
        ({}, 3, {"socket_request_max_bytes": "1000000"}, "socket.request.max.bytes = 1000000 is less than"),
        ({"max_message_bytes": 5_000_000}, 3, {}, "cannot hold a body of gateway.max_body_bytes = 5000000"),
    ],
)
def test_what_would_lose_data_is_refused_and_named(
    kafka: dict[str, int], brokers: int, broker: dict[str, str], said: str
) -> None:
    settings = settings_for(brokers, **kafka)
    report = topic_check.examine(settings, facts_of(settings, brokers, **broker))
    assert said in "\n".join(report.refusals)


def test_more_replicas_than_brokers_are_refused_only_where_a_topic_must_be_made() -> None:
    settings = settings_for(3)
    one_is_down = facts_of(settings, brokers=2)
    assert topic_check.examine(settings, one_is_down).problems == ()

    nothing_there = replace(one_is_down, topics={})
    assert (
        "kafka.replication = 3, but 2 broker(s) are up"
        in topic_check.examine(settings, nothing_there).refusals
    )


def test_positions_with_a_single_replica_are_refused() -> None:
    settings = settings_for(3)
    facts = replace(facts_of(settings), offsets_replication=1)
    assert "__consumer_offsets has one replica" in topic_check.examine(settings, facts).refusals[0]


def test_brokers_that_do_not_show_their_settings_are_noted_not_refused() -> None:
    settings = settings_for(3)
    facts = replace(facts_of(settings), brokers={1: None, 2: None, 3: None})
    report = topic_check.examine(settings, facts)
    assert report.problems == ()
    assert "broker(s) 1, 2, 3 may not be read" in report.notes[0]


def test_another_number_of_partitions_is_never_altered() -> None:
    settings = settings_for(3)
    facts = facts_of(settings_for(3, shop_partitions=4))
    (difference,) = differences_of(settings, facts, "shop.orders")
    assert str(difference).startswith("partitions is 4, must be 8 (a count cannot change: keys would move")
    assert not difference.safe


def test_keeping_longer_is_safe_and_keeping_shorter_is_not() -> None:
    settings = settings_for(3)
    short = with_config(facts_of(settings), "shop.orders", {"retention.ms": str(7 * DAY_MS)})
    long = with_config(facts_of(settings), "shop.orders", {"retention.ms": "-1"})
    assert [d.safe for d in differences_of(settings, short, "shop.orders")] == [True]
    assert [d.safe for d in differences_of(settings, long, "shop.orders")] == [False]


def test_a_changelog_that_deletes_by_age_is_made_compact_and_never_the_other_way() -> None:
    settings, name = settings_for(3), "pipeline-deliver-pending-changelog"
    aged = {"cleanup.policy": "delete", "retention.ms": str(7 * DAY_MS)}
    facts = with_config(facts_of(settings), name, aged)
    (difference,) = differences_of(settings, facts, name)
    assert (difference.setting, difference.wanted, difference.safe) == ("cleanup.policy", "compact", True)

    compacted = with_config(facts_of(settings), "shop.orders", {"cleanup.policy": "compact"})
    assert not any(d.safe for d in differences_of(settings, compacted, "shop.orders"))


def test_being_safer_than_asked_for_is_no_difference() -> None:
    settings = settings_for(3, min_insync=2)
    stricter = {"min.insync.replicas": "3", "max.message.bytes": "9000000"}
    assert (
        differences_of(settings, with_config(facts_of(settings), "shop.orders", stricter), "shop.orders")
        == ()
    )


def test_fewer_confirmations_are_raised_where_the_replicas_allow_it() -> None:
    settings = settings_for(3)
    facts = with_config(facts_of(settings), "shop.orders", {"min.insync.replicas": "1"})
    assert [str(d) for d in differences_of(settings, facts, "shop.orders")] == [
        "min.insync.replicas is 1, must be 2"
    ]
    single = replace(facts.topics["shop.orders"], replication=1)
    facts = replace(facts, topics={**facts.topics, "shop.orders": single})
    assert [(d.setting, d.safe) for d in differences_of(settings, facts, "shop.orders")] == [
        ("replication", False),
        ("min.insync.replicas", False),
    ]


def test_the_error_says_which_command_helps() -> None:
    settings = settings_for(3)
    sound = facts_of(settings)
    missing = replace(sound, topics={})
    fixable = with_config(sound, "shop.orders", {"retention.ms": "1"})
    lost = with_config(sound, "shop.orders", {"retention.ms": "-1"})

    def hint(facts: Facts) -> str:
        return topic_check.TopicsError(topic_check.examine(settings, facts)).hint

    assert hint(missing) == "run `pipeline topics`"
    assert hint(fixable) == "run `pipeline topics --apply`"
    assert hint(lost).startswith("correct these")


def test_every_topic_has_the_prefix_and_the_partitions_of_its_side() -> None:
    settings = settings_for(3, topic_prefix="blue-", shop_partitions=5, account_partitions=3)
    partitions = {topic.name.removeprefix("blue-"): topic.partitions for topic in topics.table(settings)}
    assert all(topic.name.startswith("blue-") for topic in topics.table(settings))
    assert partitions == {
        "shop.orders": 5,
        "shop.customers": 5,
        "shop.products": 5,
        "connectif.contacts": 3,
        "connectif.products": 3,
        "connectif.purchases": 3,
        "connectif.coupons": 3,
        "connectif.receipts": 3,
        "coupons.used": 5,
        "deadletters": 4,
        "deadletters.state": 4,
        "shop.replay": 5,
        "replay.runs": 1,
        "erase.requests": 1,
        "reconcile.runs": 1,
        "sync.requests": 3,
        "sync.consents": 3,
        "pipeline-sync-requests-changelog": 3,
        "pipeline-sync-feeds-changelog": 3,
        "sync.commands": 3,
        "pipeline-sync-pulls-changelog": 3,
        "pipeline-sync-pulled-changelog": 3,
        "pipeline-sync-consents-changelog": 3,
        "pipeline-sync-statements-changelog": 3,
        "pipeline-translate-entities-changelog": 5,
        "pipeline-translate-tally-changelog": 5,
        "pipeline-deliver-pending-changelog": 3,
        "pipeline-deliver-delivered-changelog": 3,
        "pipeline-deliver-tally-changelog": 3,
    }


@pytest.mark.parametrize("name", [topics.RECEIPTS, topics.changelog(topics.DELIVER_APP, "pending")])
def test_a_topic_from_which_personal_data_is_removed_is_as_it_must_be_and_noted(name: str) -> None:
    settings = settings_for(3)
    facts = with_config(facts_of(settings), name, WHILE_REMOVING)
    report = topic_check.examine(settings, facts)
    assert report.problems == ()
    assert len(report.notes) == 1
    assert name in report.notes[0]
    # What has nothing to do with it is still seen.
    other = with_config(facts, name, {"message.timestamp.type": "CreateTime"})
    assert [one.setting for one in differences_of(settings, other, name)] == ["message.timestamp.type"]


def test_compaction_that_nobody_asked_for_is_a_difference() -> None:
    settings = settings_for(3)
    facts = with_config(facts_of(settings), topics.RECEIPTS, {"cleanup.policy": "compact,delete"})
    assert differences_of(settings, facts, topics.RECEIPTS)
