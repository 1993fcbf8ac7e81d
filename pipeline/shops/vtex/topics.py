"""What VTEX sends: notifications, whose documents are fetched."""

from __future__ import annotations

from pipeline.events import Kind
from pipeline.shops.api import IGNORED
from pipeline.shops.platform import TopicMeaning, TopicTable, WebhookTopic

_NOTIFICATION = TopicMeaning.NOTIFICATION

#: Stands where a request is none of these.
NO_TOPIC = "none"
HOOK, FEED, CLIENT, CATALOGUE = "hook.", "feed.", "masterdata.CL", "broadcaster"

TOPICS: TopicTable[WebhookTopic] = TopicTable(
    (
        WebhookTopic(f"{HOOK}*", Kind.ORDER, _NOTIFICATION, menu="order hook", reason=IGNORED),
        WebhookTopic(f"{FEED}*", Kind.ORDER, _NOTIFICATION, said_by=f"{HOOK}*", reason=IGNORED),
        WebhookTopic(CLIENT, Kind.CUSTOMER, _NOTIFICATION, menu="trigger of the entity CL", reason=IGNORED),
        WebhookTopic(CATALOGUE, Kind.PRODUCT, _NOTIFICATION, menu="broadcaster", reason=IGNORED),
    )
)
