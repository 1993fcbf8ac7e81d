"""The webhooks that simulated shops keep, each platform's in its own way: listed, made, changed, taken away.

A register is of one style. What it holds can be set and seen by the sandbox's control, so that a test can
bring about a webhook that is missing, disabled, or of somebody else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import parse_qs

from pipeline.sandbox.shops.shop import Answer

Style = Literal["shopify", "woocommerce", "vtex", "magento"]
_NOT_FOUND = Answer(status=404, body={"message": "no such webhook"})
_OPERATION = re.compile(r"\s*(?:query|mutation)\s+([A-Za-z]+)")
_WOO = re.compile(r"/wp-json/wc/v3/webhooks(?:/([0-9]+))?")
_WOO_TOPIC = re.compile(r"(coupon|customer|order|product)\.(created|updated|deleted|restored)|action\.\w+")
_EVENTING = re.compile(r"(?:/rest/\w+)?/V1/eventing/(\w+)(?:/([\w.]+))?")


def operation(body: bytes) -> str:
    """The name of a GraphQL operation; "" where the body has none."""
    try:
        asked = json.loads(body)
    except ValueError:
        return ""
    found = _OPERATION.match(str(asked.get("query", ""))) if isinstance(asked, dict) else None
    return found[1] if found else ""


class WebhookRegister:
    """What one shop keeps.

    Args:
        style: whose API it has.
    """

    def __init__(self, style: Style) -> None:
        self.rows: list[dict[str, Any]] = []
        self._last_id = 1_000
        self._answer: Callable[[str, str, bytes], Answer | None] = {
            "shopify": self._shopify,
            "woocommerce": self._woocommerce,
            "vtex": self._vtex,
            "magento": self._magento,
        }[style]

    def hold(self, rows: list[dict[str, Any]]) -> None:
        """Have these from now on, as the API lists them."""
        self.rows = [dict(row) for row in rows]

    def answer(self, method: str, asked: str, body: bytes) -> Answer | None:
        """What is answered to a request; None where it is not about webhooks."""
        return self._answer(method, asked, body)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    # Shopify: GraphQL.

    def _shopify(self, method: str, asked: str, body: bytes) -> Answer | None:
        if method != "POST" or not asked.endswith("/graphql.json"):
            return None
        try:
            said = json.loads(body)
        except ValueError:
            return Answer(status=400, body={"errors": "no JSON"})
        query, given = str(said.get("query", "")), said.get("variables") or {}
        if "webhookSubscriptionCreate" in query:
            return self._subscribed(given)
        if "webhookSubscriptionUpdate" in query:
            return self._resubscribed(given)
        if "webhookSubscriptions" in query:
            page = {"nodes": self.rows, "pageInfo": {"hasNextPage": False, "endCursor": None}}
            return _data({"webhookSubscriptions": page})
        return None

    def _subscribed(self, given: Mapping[str, Any]) -> Answer:
        sub, topic = given.get("sub") or {}, str(given.get("topic"))
        if any(row["topic"] == topic and row["uri"] == sub.get("uri") for row in self.rows):
            taken = {"field": ["uri"], "message": "Address for this topic has already been taken"}
            return _data({"webhookSubscriptionCreate": {"webhookSubscription": None, "userErrors": [taken]}})
        if not str(sub.get("uri", "")).startswith("http"):
            wrong = {"field": ["uri"], "message": "Address is invalid"}
            return _data({"webhookSubscriptionCreate": {"webhookSubscription": None, "userErrors": [wrong]}})
        row = {
            "id": f"gid://shopify/WebhookSubscription/{self._next_id()}",
            "topic": topic,
            "uri": sub.get("uri"),
            "format": sub.get("format", "JSON"),
            "includeFields": sub.get("includeFields") or [],
            "filter": sub.get("filter"),
        }
        self.rows.append(row)
        return _data({"webhookSubscriptionCreate": {"webhookSubscription": row, "userErrors": []}})

    def _resubscribed(self, given: Mapping[str, Any]) -> Answer:
        for row in self.rows:
            if row["id"] == given.get("id"):
                row.update(given.get("sub") or {})
                return _data({"webhookSubscriptionUpdate": {"webhookSubscription": row, "userErrors": []}})
        gone = {"field": ["id"], "message": "Webhook subscription does not exist"}
        return _data({"webhookSubscriptionUpdate": {"webhookSubscription": None, "userErrors": [gone]}})

    # WooCommerce: REST. Secrets are taken and never shown.

    def _woocommerce(self, method: str, asked: str, body: bytes) -> Answer | None:
        path, _, query = asked.partition("?")
        found = _WOO.fullmatch(path)
        if found is None:
            return None
        if found[1] is None:
            return self._woo_listed(query) if method == "GET" else self._woo_made(body)
        row = next((row for row in self.rows if str(row["id"]) == found[1]), None)
        if row is None:
            return _NOT_FOUND
        if method == "DELETE":
            if parse_qs(query).get("force") != ["true"]:
                return Answer(status=501, body={"code": "woocommerce_rest_trash_not_supported"})
            self.rows.remove(row)
        elif method == "PUT":
            row.update({name: value for name, value in json.loads(body).items() if name != "secret"})
        return Answer(body=row)

    def _woo_listed(self, query: str) -> Answer:
        status = parse_qs(query).get("status", ["all"])[0]
        return Answer(body=[row for row in self.rows if status in {"all", row["status"]}])

    def _woo_made(self, body: bytes) -> Answer:
        given = json.loads(body)
        if not _WOO_TOPIC.fullmatch(str(given.get("topic"))):
            return Answer(status=400, body={"code": "woocommerce_rest_webhook_invalid_topic"})
        shown = {name: value for name, value in given.items() if name != "secret"}
        row = {"status": "active", **shown, "id": self._next_id()}
        self.rows.append(row)
        return Answer(status=201, body=row)

    # VTEX: one hook for each key.

    def _vtex(self, method: str, asked: str, body: bytes) -> Answer | None:
        if asked.partition("?")[0] != "/api/orders/hook/config":
            return None
        if method == "POST":
            given = json.loads(body)
            if self.rows and self.rows[0]["filter"]["type"] != given["filter"]["type"]:
                return Answer(status=409, body={"message": "another type of filter is configured"})
            self.rows = [given]
            return Answer(text="")
        if not self.rows:
            return Answer(status=404, text="")
        if method == "DELETE":
            self.rows = []
            return Answer(text="")
        return Answer(body=self.rows[0])

    # Adobe Commerce: subscriptions to events.

    def _magento(self, method: str, asked: str, body: bytes) -> Answer | None:
        found = _EVENTING.fullmatch(asked.partition("?")[0])
        if found is None:
            return None
        what, name = found[1], found[2]
        if what == "getEventSubscriptions":
            return Answer(body=self.rows)
        event = json.loads(body).get("event") or {}
        if what != "eventSubscribe":
            return _NOT_FOUND
        if method == "POST":
            self.rows.append({"rules": [], **event})
            return Answer(body=[])
        row = next((row for row in self.rows if row["name"] == name), None)
        if row is None:
            return _NOT_FOUND
        known = {field["name"] for field in row.get("fields", [])}
        row["fields"] = [
            *row.get("fields", []),
            *(field for field in event.get("fields", []) if field["name"] not in known),
        ]
        row["rules"] = event.get("rules", row.get("rules", []))
        return Answer(body=[])


def _data(said: Mapping[str, Any]) -> Answer:
    return Answer(body={"data": said})
