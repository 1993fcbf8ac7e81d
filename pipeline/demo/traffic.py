"""The webhooks of the demo: pure, seeded, and each with the statement it makes.

They come as in a real shop: changes of orders, customers and products, interleaved; some deliveries twice,
some late, so that an older version arrives after a newer one; and here and there one that is broken. The
older part is history: it is replayed, while the rest comes from the shops.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import itemgetter
from random import Random
from typing import Any

from pipeline.demo import further
from pipeline.demo import shops as world
from pipeline.demo.custom_shop import Newsletter
from pipeline.demo.expectations import Statement
from pipeline.demo.shop_history import Delivery, ShopHistory

#: How far back the stories go. All of it is over when the first webhook is posted.
SPAN = timedelta(days=6)
_QUIET = timedelta(hours=2)
#: Of all deliveries: repeated, delayed, and with a signature that does not fit.
_REPEATED, _LATE, _BROKEN = 0.08, 0.12, 0.01
_LONGEST_DELAY = timedelta(hours=30)
#: Of all deliveries, the oldest: history.
HISTORY = 0.5


@dataclass(frozen=True, slots=True)
class Traffic:
    """All deliveries, each part in the order they come.

    Attributes:
        replayed: history, of which Kafka is to have what a gateway would have kept.
        posted: what the shops send meanwhile, and of the history what no gateway keeps.
        further: what the shops of other platforms send beside them.
        documents: shop -> what its API answers, by path.
        lists: shop -> list -> rows that its API lists.
        listed: what lists alone, and Connectif, state.
        newsletter: who signs up and who leaves; None without further shops.
    """

    replayed: tuple[Delivery, ...]
    posted: tuple[Delivery, ...]
    further: tuple[Delivery, ...] = ()
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lists: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]] = field(default_factory=dict)
    listed: tuple[Statement, ...] = ()
    newsletter: Newsletter | None = None

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """All but those of further shops."""
        return self.replayed + self.posted

    @property
    def live(self) -> int:
        """How many come from shops while the demo runs."""
        return len(self.posted) + len(self.beside)

    @property
    def beside(self) -> tuple[Delivery, ...]:
        """What further shops send: orders, and who signs up for a newsletter."""
        return self.further if self.newsletter is None else (*self.further, self.newsletter.arrives)

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Every statement made; repeats repeat theirs."""
        told = (statement for delivery in self.deliveries + self.beside for statement in delivery.statements)
        return (*told, *self.listed)

    @property
    def rejected(self) -> Counter[tuple[str, str, str]]:
        """(shop, kind, reason) -> how many cannot be translated; a repeat is refused again."""
        return Counter(
            (one.shop, one.kind, one.rejected) for one in self.deliveries if one.kind and one.rejected
        )


def make(events: int, seed: int, now: datetime) -> Traffic:
    """Exactly `events` deliveries, and a few of further shops; the same ones for the same arguments.

    Args:
        events: how many; below about 150 the special cases fill most of it.
        seed: of all that is left to chance.
        now: a UTC moment after everything in the webhooks.

    Raises:
        ValueError: too few to have every special case once.
    """
    rng = Random(seed)  # noqa: S311 - a demo, not a key
    start, end = now - SPAN, now - _QUIET
    repeats, broken = int(events * _REPEATED), max(1, int(events * _BROKEN))
    told = _stories(rng, events - repeats - broken, start, end)
    if len(told) < events - repeats - broken:
        raise ValueError(f"{events} events are too few for the special cases; try 100 or more")
    told += [(at + _delay(rng), one) for at, one in rng.choices(told, k=repeats)]
    told += [(at, _forged(rng, one)) for at, one in rng.choices([t for t in told if t[1].kind], k=broken)]
    late = [(at + _delay(rng) if rng.random() < _LATE else at, index) for index, (at, _) in enumerate(told)]
    made = _divided([told[index][1] for _, index in sorted(late)])
    beside = further.make(events, seed, now)
    return replace(
        made,
        further=beside.told,
        documents=beside.documents,
        lists=beside.lists,
        listed=beside.listed,
        newsletter=beside.newsletter,
    )


def _divided(deliveries: Sequence[Delivery]) -> Traffic:
    """History and the present; pings and forgeries are not kept, so no history has them."""
    old, new = deliveries[: int(len(deliveries) * HISTORY)], deliveries[int(len(deliveries) * HISTORY) :]
    never_kept = [one for one in old if one.kind is None]
    return Traffic(tuple(one for one in old if one.kind is not None), (*never_kept, *new))


def _stories(rng: Random, wanted: int, start: datetime, end: datetime) -> list[tuple[datetime, Delivery]]:
    """The special cases and catalogues of every shop, then orders until there are `wanted` deliveries."""
    tellers = [ShopHistory(shop, rng, start, end) for shop in world.SHOPS]
    crowds = {
        account: world.crowd(rng, account, max(6, wanted // 12), start, end)
        for account in dict.fromkeys(shop.account for shop in world.SHOPS)
    }
    for teller in tellers:
        teller.open(crowds[teller.shop.account], articles=max(6, int(wanted * teller.shop.share / 25)))
    while sum(len(teller.told) for teller in tellers) < wanted:
        teller = rng.choices(tellers, [one.shop.share for one in tellers])[0]
        teller.order()
    told = [one for teller in tellers for one in teller.told]
    return _trimmed(told, wanted)


def _trimmed(told: list[tuple[datetime, Delivery]], wanted: int) -> list[tuple[datetime, Delivery]]:
    """Without the last few that are one too many: only such as nothing else rests on."""
    spare = len(told) - wanted
    kept = []
    for one in reversed(told):
        if spare > 0 and one[1].spare:
            spare -= 1
        else:
            kept.append(one)
    return kept[::-1] if spare == 0 else []


def _delay(rng: Random) -> timedelta:
    return _LONGEST_DELAY * rng.random() ** 3


def _forged(rng: Random, delivery: Delivery) -> Delivery:
    """The delivery with another's signature; nothing may come of it."""
    wrong = tuple(
        (name, _spoilt(rng, value) if "hmac" in name.lower() or "signature" in name.lower() else value)
        for name, value in delivery.headers
    )
    return replace(delivery, headers=wrong, kind=None, statements=(), rejected="", answer=401)


def _spoilt(rng: Random, signature: str) -> str:
    letters = list(signature[:-1])
    rng.shuffle(letters)
    return "".join(letters) + "="


def mixed(few: Sequence[Delivery], many: Sequence[Delivery]) -> list[Delivery]:
    """All of them, each part in its order, the few spread evenly among the many."""
    placed = [((number + 0.5) / len(part), one) for part in (few, many) for number, one in enumerate(part)]
    return [one for _, one in sorted(placed, key=itemgetter(0))]


def kept(deliveries: Iterable[Delivery]) -> Counter[tuple[str, str]]:
    """(shop, kind) -> how many of these a gateway keeps."""
    return Counter((one.shop, one.kind) for one in deliveries if one.kind)
