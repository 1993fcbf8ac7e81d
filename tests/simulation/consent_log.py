"""Who withdrew in Connectif, what it was sent of consent, and when it was asked; epoch ms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.sandbox.connectif.http.account import SimulatedAccount
from pipeline.sandbox.connectif.http.routes import table
from pipeline.sandbox.connectif.model.contacts import ContactKey
from pipeline.sandbox.connectif.model.storage import StoredElement
from pipeline.sandbox.connectif.simulation.behaviour import ApiBehaviour
from tests.simulation import virtual

STATUS = "_newsletterSubscriptionStatus"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question; `everybody`: an export was asked for."""

    at_ms: float
    everybody: bool


class ConsentLog:
    """One account's.

    Attributes:
        withdrawn: e-mail -> when the person unsubscribed by a mail of Connectif's.
        subscribed: e-mail -> when Connectif was sent `subscribed`.
    """

    def __init__(self, account: SimulatedAccount) -> None:
        self._account = account
        self._patch = account.data.contacts.patch
        self.withdrawn: dict[str, list[float]] = defaultdict(list)
        self.subscribed: dict[str, list[float]] = defaultdict(list)
        account.data.contacts.patch = self._heard  # type: ignore[method-assign]

    def withdraw(self, email: str) -> None:
        """The person clicks the link in a mail; only who is there and has not left gets any."""
        found = self._account.data.contacts.find("email", email)
        if found is None or found.body.get(STATUS) == "unsubscribed":
            return
        now = virtual.wall()
        self._patch("email", email, {STATUS: "unsubscribed"}, now, self._account.simulation.behaviour)
        self.withdrawn[email].append(now * 1_000)

    def asked(self, email: str) -> list[Asked]:
        """Every time Connectif was asked for a person, or for everybody."""
        found: list[Asked] = []
        for call in self._account.log.page(0, self._account.log.total):
            route = table.ALL_ROUTES[call.route]
            if route.method == "GET" and route.template == "/contacts/email/{email}" and call.key == email:
                found.append(Asked(call.time * 1_000, everybody=False))
            elif (route.method, route.template) == ("POST", "/exports/"):
                found.append(Asked(call.time * 1_000, everybody=True))
        return found

    def _heard(
        self, by: ContactKey, key: str, changes: Mapping[str, Any], now: float, behaviour: ApiBehaviour
    ) -> tuple[StoredElement, bool]:
        if changes.get(STATUS) == "subscribed":
            self.subscribed[key].append(now * 1_000)
        return self._patch(by, key, changes, now, behaviour)
