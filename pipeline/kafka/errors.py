"""Errors of Kafka's clients as errors of this program, with what they mean and what to do."""

from __future__ import annotations

import logging
import re

from confluent_kafka import KafkaError, KafkaException

from pipeline.errors import BrokerError, PipelineError

#: What librdkafka logs by itself. A client is given it (`Consumer(config, logger=client_log)`): otherwise its
#: lines go to standard error as they are, past the log.
client_log = logging.getLogger("librdkafka")
# Of a command that sets up no log, the error says it all.
client_log.addHandler(logging.NullHandler())

#: What a failed connection says, and what that means.
_MEANINGS = (
    (
        "hostname mismatch|IP address mismatch|not valid for",
        "its certificate is of another host: name the brokers in kafka.bootstrap as their certificates do",
    ),
    (
        "certificate has expired|not yet valid",
        "its certificate is out of date, or this machine's clock is wrong",
    ),
    (
        "certificate verify failed|CERTIFICATE_VERIFY_FAILED|self[- ]signed|unable to get local issuer",
        (
            "its certificate cannot be verified: either an authority signed it that this machine does not "
            "know (put that authority's certificate into a file, and the file into kafka.security "
            '"ssl.ca.location"), or it is of another host than kafka.bootstrap names'
        ),
    ),
    (
        "wrong version number|record layer failure|packet length too long",
        'it answers without TLS: is kafka.security "security.protocol" right, and the port?',
    ),
    (
        "might be caused by incorrect security.protocol|broker might require SSL",
        'it seems to expect TLS: set kafka.security "security.protocol" to SSL or SASL_SSL',
    ),
    ("[Aa]uthentication", "it refuses the user name or the password of kafka.security"),
)


def meaning(complaint: str) -> str:
    """What a client's complaint of a failed connection means, and what to do; empty: that is not known."""
    return next((said for pattern, said in _MEANINGS if re.search(pattern, complaint)), "")


class KafkaUnreachable(BrokerError):  # noqa: N818 - a fact, not a defect
    """No broker answers, or none lets us in."""


class TopicMissing(BrokerError):  # noqa: N818 - a fact
    """The cluster has no such topic, or no such partition of it."""

    exit_code = PipelineError.exit_code


class ReadRefused(BrokerError):  # noqa: N818 - a fact
    """A broker does not give what was asked for: no right to it, or damaged records."""


class RecordsGone(BrokerError):  # noqa: N818 - a fact
    """Records that were to be read are not there any more: deleted meanwhile, or the topic was made anew."""


#: Codes that mean that no broker answers, or none that lets us in.
SILENT = frozenset(
    {
        KafkaError._TRANSPORT,  # noqa: SLF001 - the names librdkafka gives them
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._MSG_TIMED_OUT,  # noqa: SLF001
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._AUTHENTICATION,  # noqa: SLF001
        KafkaError._SSL,  # noqa: SLF001
    }
)
#: Codes of a partition or a group whose leader changes or has just started: asked a moment later, it answers.
PASSING = frozenset(
    {
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
    }
)
#: Codes that mean there is no such topic or partition.
MISSING = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    }
)


class LastComplaint:
    """What a client complained of last; `remember` is its `error_cb`.

    If nothing answers, a failed handshake says more than the time-out that follows it.
    """

    def __init__(self) -> None:
        self.text = ""

    def remember(self, error: KafkaError) -> None:
        """Keep a complaint, without how often it was heard."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001
            self.text = error.str().partition(" (after ")[0]


def code_of(error: BaseException | None) -> int | None:
    """The code of a client's exception; None where it has none."""
    return error.args[0].code() if isinstance(error, KafkaException) else None


def in_words(what: str, error: KafkaError, servers: str, complaint: str = "") -> BrokerError:
    """The error to raise for a client's.

    Args:
        what: what could not be done: "orders cannot be read".
        error: the client's.
        servers: the bootstrap servers that were asked.
        complaint: of `LastComplaint`.
    """
    code = error.code()
    if code in SILENT:
        reason = complaint or error.str()
        hint = meaning(reason) or "is the cluster up, and kafka.security right?"
        return KafkaUnreachable(f"{what} ({servers}): {reason}", hint=hint)
    if code in PASSING:
        return KafkaUnreachable(
            f"{what} ({servers}): {error.str()}", hint="its brokers change or start; try again in a moment"
        )
    if code in MISSING:
        return TopicMissing(
            f"{what} ({servers}): {error.str()}", hint="`pipeline topics` makes the pipeline's topics"
        )
    return ReadRefused(f"{what} ({servers}): {error.str()}")


def unusable(error: KafkaException) -> BrokerError:
    """The error to raise where a client cannot even be made."""
    return BrokerError(f"Kafka's client refuses its settings: {error.args[0].str()}", field="kafka.security")
