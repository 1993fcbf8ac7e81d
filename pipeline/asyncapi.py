"""The AsyncAPI 3 description of every topic: messages, keys, headers, and what each stage does with it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from pipeline import extras
from pipeline.config import Settings
from pipeline.events import Kind
from pipeline.kafka import topics
from pipeline.records import RecordKind

Node = dict[str, Any]

_JSON_SCHEMA = "application/schema+json;version=2020-12"
_BINDING = "0.5.0"

_OWN = ", and behind it 0x1f and 15 characters of the message's own"

_KEYS = {
    "event": f"`store|kind|id`{_OWN}: all events of one entity share a partition, so they stay in order",
    "record": f"`account|kind|id`{_OWN}; the account alone decides the partition, one worker owns its budget",
    "use": f"`account|store|purchase_id|code`{_OWN}, in the partition of the order's events",
    "state": "the table's own key",
    "any": f"what the original message was about{_OWN}",
    "letter": "`partition:offset` of the dead letter; `prefix~partition:offset` of one under another prefix",
    "request": "that of the event, `|` and its place; the store alone decides the partition",
    "run": "`run|plan`, `run|state` or `run|control`",
    "erasure": "`id|asked`, `id|progress`, or while it is worked on `id|found-<try>-<number>`",
    "daily": "`store|claim` or `store|result`",
    "store": f"the store{_OWN}, which alone decides the partition",
}

#: Topics whose message is of their own alone.
_MESSAGES = {
    topics.RECEIPTS: "receipt",
    topics.COUPONS_USED: "coupon-use",
    topics.DEADLETTERS: "dead-letter",
    topics.DEADLETTER_STATES: "dead-letter-state",
    topics.REPLAY: "repeated-event",
    topics.REPLAY_RUNS: "replay-run",
    topics.ERASE_REQUESTS: "erase-request",
    topics.RECONCILE_RUNS: "reconcile-run",
    topics.SYNC_REQUESTS_TOPIC: "fetch-request",
    topics.SYNC_COMMANDS_TOPIC: "sync-command",
    topics.SYNC_CONSENTS_TOPIC: "statement",
}


def document(settings: Settings) -> Node:
    """The whole description, for the topics these settings make."""
    table = {topic.name: topic for topic in topics.table(settings)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Shop to Connectif pipeline",
            "version": version("shop-connectif-pipeline"),
            "description": "Shops' webhooks become contacts, products and purchases in Connectif. Every "
            "topic, with the partitions and retention of the default settings; `kafka.topic_prefix` stands "
            "before each name where it is set.",
        },
        "defaultContentType": "application/json",
        "channels": {_id(name): _channel(topic) for name, topic in table.items()},
        "operations": _operations(settings, list(table)),
        "components": {"messages": _messages()},
    }


def text(settings: Settings) -> str:
    """The description as YAML; the same settings always give the same text.

    Raises:
        PipelineError: PyYAML, which those who run the pipeline do not need, is not installed.
    """
    extras.require("dev", "yaml", by="`pipeline schemas`")
    import yaml  # noqa: PLC0415 - for developers

    made: str = yaml.safe_dump(document(settings), sort_keys=False, allow_unicode=True, width=110)
    return made


def _id(topic: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", topic)


def _channel(topic: topics.Topic) -> Node:
    message = _message_of(topic.name)
    config = topic.config
    return {
        "address": topic.name,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "replicas": topic.replication,
                "topicConfiguration": {
                    "cleanup.policy": config["cleanup.policy"].split(","),
                    "retention.ms": int(config["retention.ms"]),
                    "max.message.bytes": int(config["max.message.bytes"]),
                },
                "bindingVersion": _BINDING,
            }
        },
    }


def _message_of(topic: str) -> str:
    if topic in _MESSAGES:
        return _MESSAGES[topic]
    if topic.endswith("-changelog"):
        return "table-row"
    record = next((kind for kind in RecordKind if topic == kind.topic), None)
    return f"{record}-record" if record else "raw-event"


def _messages() -> Node:
    raw = _message(
        "A delivery of a shop, verified and not yet understood. The value is the shop's body, byte for byte.",
        _KEYS["event"],
        headers="raw-event-headers.json",
    )
    records = {
        f"{kind}-record": _message(
            f"What Connectif should hold of a {kind}.",
            _KEYS["record"],
            payload=f"{kind}-record.json",
            headers="trace-headers.json",
        )
        for kind in RecordKind
    }
    return {
        "raw-event": raw,
        **records,
        "receipt": _message(
            "How one version of one record ended.",
            _KEYS["record"],
            payload="receipt.json",
            headers="trace-headers.json",
        ),
        "coupon-use": _message(
            "A discount code that a sold order used, or does not use any more.",
            _KEYS["use"],
            payload="coupon-use.json",
        ),
        "dead-letter": _message(
            "What was given up, and why: an event as it came, or a record with all that was merged into it.",
            _KEYS["any"],
            headers="dead-letter-headers.json",
        ),
        "dead-letter-state": _message(
            "What was done about a dead letter: sent again, or dropped, by whom and when.",
            _KEYS["letter"],
            payload="dead-letter-state.json",
        ),
        "repeated-event": _message(
            "An event of `shop.*` once more, byte for byte, with where it lies there.",
            _KEYS["event"],
            headers="replay-headers.json",
        ),
        "fetch-request": _message(
            "An event that only names what happened, with where it lies, as the header `notified-by`: its "
            "documents are fetched from the shop's API, and follow it in `shop.*`.",
            _KEYS["request"],
            headers="raw-event-headers.json",
        ),
        "statement": _message(
            "What Connectif said of a person's newsletter (`callback/...`), or is told (`told/...`), as an "
            "event of that person; what was said goes to the shop, and into `shop.customers`.",
            _KEYS["event"],
            headers="raw-event-headers.json",
        ),
        "replay-run": _message(
            "What a replay repeats, how far it is, and what operators want of it; in a form that may change.",
            _KEYS["run"],
        ),
        "erase-request": _message(
            "Who asked that a person be erased or shown, and what was done: `Asked` and `Progress` of "
            "pipeline/kafka/erase_requests.py. Once it is done, no row names anybody.",
            _KEYS["erasure"],
        ),
        "reconcile-run": _message(
            "Who reconciles a store on a day, and what came of it; in a form that may change.", _KEYS["daily"]
        ),
        "sync-command": _message(
            "What an operator wants read of a shop's API; in a form that may change.", _KEYS["store"]
        ),
        "table-row": _message(
            "A row of a stage's state table; for that stage alone, in a form that may change.", _KEYS["state"]
        )
        | {"contentType": "application/octet-stream"},
    }


def _message(summary: str, key: str, *, payload: str = "", headers: str = "") -> Node:
    found: Node = {"summary": summary}
    if headers:
        found["headers"] = _schema(headers)
    if payload:
        found["payload"] = _schema(payload)
    found["bindings"] = {"kafka": {"key": {"type": "string", "description": key}, "bindingVersion": _BINDING}}
    return found


def _schema(name: str) -> Node:
    return {"schemaFormat": _JSON_SCHEMA, "schema": {"$ref": f"./{name}"}}


def _operations(settings: Settings, names: list[str]) -> Node:
    """Who sends and receives what; `receive` is by the stage's consumer group."""
    shop = [kind.topic for kind in Kind]
    records = [kind.topic for kind in RecordKind]
    translate, deliver, sync = (
        topics.full_name(settings, app) for app in (topics.TRANSLATE_APP, topics.DELIVER_APP, topics.SYNC_APP)
    )
    tables = {
        app: [name for name in names if name.startswith(f"{app}-") and name.endswith("-changelog")]
        for app in (translate, deliver, sync)
    }
    dead, requests = topics.DEADLETTERS, topics.SYNC_REQUESTS_TOPIC
    commands = topics.SYNC_COMMANDS_TOPIC
    consents = topics.SYNC_CONSENTS_TOPIC
    return {
        **_each("gateway", "send", shop, "Stores a verified webhook, then answers 2xx."),
        **_each("translate", "receive", shop, "Reads what shops said, in order.", translate),
        **_each("translate", "receive", [topics.REPLAY], "Reads what replays repeat.", translate),
        **_each("replay", "receive", shop, "Reads the range that it repeats."),
        **_each("replay", "send", [topics.REPLAY], "Repeats the events that were chosen."),
        **_each("replay", "send", [topics.REPLAY_RUNS], "Says how far it is."),
        **_each("replay", "receive", [topics.REPLAY_RUNS], "Reads what operators want of it."),
        **_each("translate", "send", [topics.ERASE_REQUESTS], "Keeps what a shop asks for by webhook."),
        **_each("erase", "receive", [topics.ERASE_REQUESTS], "Reads what is asked for."),
        **_each("erase", "send", [topics.ERASE_REQUESTS], "Says what was done, and keeps what was found."),
        **_each("erase", "receive", [*shop, *records, topics.RECEIPTS, dead], "Looks for the person."),
        **_each("erase", "send", [topics.REPLAY], "Has translate forget the person."),
        **_each(
            "erase",
            "send",
            [RecordKind.CONTACT.topic, RecordKind.PURCHASE.topic],
            "Has deliver delete the contact, and forget what waits.",
        ),
        **_each("reconcile", "send", [topics.RECONCILE_RUNS], "Says who makes a day's run, and its result."),
        **_each("reconcile", "receive", [topics.RECONCILE_RUNS], "Reads whose run it is."),
        **_each("reconcile", "send", [topics.REPLAY], "Sends again what is missing."),
        **_each("translate", "send", records, "Tells what Connectif should hold because of it."),
        **_each("translate", "send", [topics.COUPONS_USED], "Says which discount codes orders used."),
        **_each("translate", "send", [requests], "Asks for the documents that a webhook only names."),
        **_each("sync", "receive", [requests], "Reads what is to be fetched.", sync),
        **_each(
            "sync", "send", shop, "Stores what the shops' APIs answered and their feeds held, as events."
        ),
        **_each("sync", "receive", [commands], "Reads which shops' lists are to be read.", sync),
        **_each("cli", "send", [commands], "Says which shops' lists are to be read."),
        **_each("gateway", "send", [consents], "Stores what Connectif calls back."),
        **_each("translate", "send", [consents], "Says what Connectif is told of a newsletter."),
        **_each("sync", "receive", [consents], "Reads what is to be written at the shops.", sync),
        **_each("sync", "send", [dead], "Gives up what a shop's API does not answer."),
        **_each("sync", "send", tables[sync], "Keeps its tables."),
        **_each("sync", "receive", tables[sync], "Reads its tables back after a loss."),
        **_each("dead", "send", [requests], "Asks again for what could not be fetched."),
        **_each("translate", "send", [dead], "Gives up what cannot be translated, with the reason."),
        **_each("translate", "send", tables[translate], "Keeps its tables."),
        **_each("translate", "receive", tables[translate], "Reads its tables back after a loss."),
        **_each("deliver", "receive", records, "Reads what Connectif should hold.", deliver),
        **_each("deliver", "send", [topics.RECEIPTS], "Says how each record ended."),
        **_each("deliver", "receive", [topics.RECEIPTS], "Settles its tables by its own receipts.", deliver),
        **_each("deliver", "send", [dead], "Gives up what Connectif refuses, with its answer."),
        **_each("dead", "receive", [dead, topics.DEADLETTER_STATES], "Lists and shows dead letters."),
        **_each("dead", "send", [topics.DEADLETTER_STATES], "Says what was done about dead letters."),
        **_each("dead", "send", records, "Sends again what Connectif refused."),
        **_each("dead", "send", [topics.REPLAY], "Sends again what could not be translated."),
        **_each("deliver", "send", tables[deliver], "Keeps its tables."),
        **_each("deliver", "receive", tables[deliver], "Reads its tables back after a loss."),
    }


def _each(stage: str, action: str, names: Iterable[str], summary: str, group: str = "") -> Node:
    found: Node = {}
    for name in names:
        operation: Node = {
            "action": action,
            "channel": {"$ref": f"#/channels/{_id(name)}"},
            "summary": summary,
        }
        if group:
            group_id = {"type": "string", "const": group}
            operation["bindings"] = {"kafka": {"groupId": group_id, "bindingVersion": _BINDING}}
        found[f"{stage}-{action}-{_id(name)}"] = operation
    return found
