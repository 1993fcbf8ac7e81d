"""Whom a simulated shop knows, and what it holds of their newsletters: read and written by its API.

`PUT /_sandbox/shops/{shop}/newsletter` says whom; `GET` shows what is held, and what was written.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

State = Literal["subscribed", "unsubscribed", "pending", "none"]
Form = Literal["shopify", "woocommerce", "prestashop", "magento", "vtex", "generic"]


class Person(BaseModel):
    """One account, or guest, of the shop."""

    model_config = ConfigDict(extra="forbid")

    id: str
    email: str
    state: State = "none"
    at: float | None = Field(default=None, description="since when, seconds since the epoch")
    guest: bool = False


class NewsletterSettings(BaseModel):
    """How the shop keeps newsletters."""

    model_config = ConfigDict(extra="forbid")

    form: Form
    people: list[Person] = []
    double_opt_in: bool = Field(default=False, description="who subscribes must confirm")
    field: bool = Field(default=True, description="whether the shop has a field for it")
    patch: bool = Field(default=True, description="whether PATCH is known, where some versions know it not")


class Written(NamedTuple):
    """One write that changed something, or tried."""

    email: str
    state: State
    at: float


class Newsletter:
    """The state of one shop.

    Attributes:
        settings: how it keeps newsletters, with the people as they are now.
        written: every write, in order.
    """

    def __init__(self, settings: NewsletterSettings) -> None:
        self.settings = settings
        self.written: list[Written] = []

    def by_email(self, email: str) -> list[Person]:
        """All of an address."""
        return [one for one in self.settings.people if one.email.lower() == email.lower()]

    def by_id(self, number: str) -> Person | None:
        """The one of an id."""
        return next((one for one in self.settings.people if one.id == number), None)

    def write(self, person: Person, subscribes: bool, now: float, at: float | None = None) -> None:
        """Somebody writes; a statement older than what is held changes nothing."""
        state: State = "subscribed" if subscribes else "unsubscribed"
        self.written.append(Written(person.email, state, now))
        if at is not None and person.at is not None and at < person.at:
            return
        if subscribes and self.settings.double_opt_in and person.state != "subscribed":
            state = "pending"
        person.state, person.at = state, now if at is None else at

    def make(self, email: str, subscribes: bool, now: float) -> Person:
        """A person that the shop did not know."""
        made = Person(id=f"made-{len(self.settings.people) + 1}", email=email)
        self.settings.people.append(made)
        self.write(made, subscribes, now)
        return made

    def figures(self) -> dict[str, Any]:
        """What is held, and what was written."""
        return {
            "people": [one.model_dump() for one in self.settings.people],
            "written": [one._asdict() for one in self.written],
        }
