"""What a dead letter says of the message it holds: these headers, besides the message's own."""

from __future__ import annotations

from collections.abc import Mapping

#: Header -> meaning. Values are UTF-8 text.
HEADERS: Mapping[str, str] = {
    "dead-reason": "why, as one of a bounded set of snake_case words: the label of metrics",
    "dead-field": "the body's field or the setting it concerns, as a dotted path; empty where none",
    "dead-detail": "a sentence for the operator, or Connectif's answer, shortened; no personal data",
    "dead-store": "the store in the settings; empty where the message does not say",
    "dead-account": "the account in the settings; empty where it was not reached",
    "dead-stage": "translate or deliver",
    "dead-topic": "the topic the message came from",
    "dead-partition": "its partition there",
    "dead-offset": "its offset there",
    "dead-at": "when it was given up, in epoch milliseconds",
}
