"""Which of a store's accounts gets what an event means, by language, shop and currency of its body. Pure.

A store with routes is translated for each account that gets something: the account's currency, first day of
purchases and field for codes are its own, and of texts in several languages the account's count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pipeline.events import RawEvent
from pipeline.records import Contact, Op, Origin, RecordKind
from pipeline.shops.base import Audience, Draft, Rejected, StoreContext, Translation
from pipeline.shops.callbacks import statement_of
from pipeline.shops.settings import NONE_SAID, RouteSettings
from pipeline.translate.feed import Feed, FeedRoute

#: The reasons of events that fit no account.
NO_ACCOUNT, OTHER_CURRENCY = "no_account", "currency_mismatch"
_MOST_SAID = 3


class Addressed(NamedTuple):
    """What an event means for one account; for some, nothing."""

    account: str
    drafts: tuple[Draft, ...]


def addressed(
    translation: Translation, feed: Feed, translate: Callable[[StoreContext], Translation]
) -> list[Addressed]:
    """An event's drafts for each of the store's accounts.

    What takes back or hides whatever was sent goes to all of them, and so does a withdrawal that fits none.

    Args:
        translation: its meaning, for a store without routes to its account, else by no account's settings.
        feed: its store.
        translate: its meaning by the settings of an account.

    Raises:
        Rejected: `no_account`, `currency_mismatch` where a draft fits none; what the adapter refuses.
    """
    if not feed.routes:
        return [Addressed(feed.account, translation.drafts)]
    wanted: set[str] = set()
    for_all: tuple[Draft, ...] = ()
    for draft in translation.drafts:
        takers = [route.account for route in feed.routes if _goes_to(route, draft, feed)]
        if not _needs_account(draft):
            for_all += (draft,)
        elif takers:
            wanted.update(takers)
        elif (left := _withdrawal_of(draft)) is not None:
            for_all += (left,)
        else:
            raise _nowhere(draft, feed)
    return [
        Addressed(
            route.account,
            tuple(draft for draft in translate(route.context).drafts if _goes_to(route, draft, feed))
            if route.account in wanted
            else for_all,
        )
        for route in feed.routes
    ]


def called_back(translation: Translation, feed: Feed, event: RawEvent) -> list[Addressed]:
    """What an account itself said, which is remembered for it alone: the others hear it from the shop.

    Raises:
        Rejected: `no_account`: the store does not feed the account any more.
    """
    said = statement_of(event)
    account = (said.account if said is not None else "") or feed.account
    if account not in feed.own_accounts:
        raise Rejected(NO_ACCOUNT, "account", "the store does not feed the account that called back")
    return [Addressed(account, translation.drafts)]


def _withdrawal_of(draft: Draft) -> Draft | None:
    """What a withdrawal means wherever the person is known, whatever its body says of where it belongs."""
    body = draft.body
    if not isinstance(body, Contact) or body.newsletter != "unsubscribed":
        return None
    consent = Contact(
        email=body.email,
        external_id=None if body.email else body.external_id,
        newsletter=body.newsletter,
        newsletter_ms=body.newsletter_ms,
    )
    return draft._replace(body=consent, op=Op.PATCH, notes=(*draft.notes, NO_ACCOUNT))


def _needs_account(draft: Draft) -> bool:
    """Whether it says something new, which somebody must hear."""
    return not draft.if_emitted and draft.op is not Op.HIDE and draft.id is not None


def _goes_to(route: FeedRoute, draft: Draft, feed: Feed) -> bool:
    if not _needs_account(draft):
        return True
    return _is_in_currency(route, draft) and any(
        fits(condition, draft, feed.languages) for condition in route.conditions
    )


def _is_in_currency(route: FeedRoute, draft: Draft) -> bool:
    """Whether the account holds the currency of an order or a product; contacts have none."""
    held, said = route.context.currency, draft.audience.currencies
    is_money = draft.kind is not RecordKind.CONTACT or draft.origin is Origin.ORDER
    return held is None or not said or not is_money or held in said


def fits(condition: RouteSettings, draft: Draft, languages: frozenset[str]) -> bool:
    """Whether a draft says all that a route asks for.

    A product of the catalogue that does not say its language, shop or currency is every account's.

    Args:
        condition: the route.
        draft: the record to be.
        languages: that any route of the store names: `es` does not take `es-mx` where another one does.
    """
    is_everywhere = draft.kind is RecordKind.PRODUCT and draft.origin is Origin.CATALOGUE
    said = draft.audience
    spoken = tuple(_as_named(language, languages) for language in said.languages)
    return (
        _meets(condition.language, spoken, is_everywhere=is_everywhere)
        and _meets(condition.shop, said.shops, is_everywhere=is_everywhere)
        and _meets(condition.currency, said.currencies, is_everywhere=is_everywhere)
    )


def _meets(wanted: Sequence[str], said: Sequence[str], *, is_everywhere: bool) -> bool:
    if not wanted:
        return True
    if not said:
        return is_everywhere or NONE_SAID in wanted
    return not set(wanted).isdisjoint(said)


def _as_named(language: str, languages: frozenset[str]) -> str:
    """The tag by which the routes name a language: itself, or with as few parts less as they need."""
    tag = language
    while tag not in languages and "-" in tag:
        tag = tag.rpartition("-")[0]
    return tag if tag in languages else language


def _nowhere(draft: Draft, feed: Feed) -> Rejected:
    """Why no account takes it: the currency alone, or all that its body says."""
    for route in feed.routes:
        if any(fits(condition, draft, feed.languages) for condition in route.conditions):
            held = route.context.currency
            return Rejected(OTHER_CURRENCY, "currency", f"not {held}, which account {route.account} holds")
    return Rejected(NO_ACCOUNT, "", f"no route of the store takes {_in_words(draft.audience)}")


def _in_words(said: Audience) -> str:
    """What a body says of where it belongs; all of it is the shop's words, and none of a person."""
    named = zip(("language", "shop", "currency"), said, strict=True)
    parts = [f"{name} {', '.join(values[:_MOST_SAID])}" if values else f"no {name}" for name, values in named]
    return ", ".join(parts)[:300]
