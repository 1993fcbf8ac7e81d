"""The demo's shops, their people and their goods: invented, and the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Literal


@dataclass(frozen=True, slots=True)
class Shop:
    """One store. Shops that feed one account have ids that never meet: `first_id` keeps them apart."""

    name: str
    platform: str
    account: str
    domain: str
    secret: str
    first_id: int
    share: float
    currency: str = "EUR"
    timezone: str = "Europe/Madrid"


#: Two Shopify stores share an account, a WooCommerce store has its own. `share` is of the whole traffic.
SHOPS = (
    Shop("acme-es", "shopify", "acme", "acme.example", "shpss_demo_1", 5_900_000_000_000_000_000, 0.45),
    Shop("outlet", "shopify", "acme", "outlet.acme.example", "shpss_demo_2", 6_100_000_000_000, 0.25),
    Shop("bottega", "woocommerce", "bottega", "bottega.example", "whsec_demo_3", 1_000, 0.30),
)
#: Shops of other platforms, each with an account of its own; they sell a little beside the others.
FURTHER = (
    Shop("loja", "vtex", "loja", "loja.example", "demo-secret-4", 200_000, 0.0),
    Shop("galerie", "magento", "galerie", "galerie.example", "demo-secret-5", 300_000, 0.0),
    Shop("boutique", "prestashop", "boutique", "boutique.example", "demo-secret-6", 400_000, 0.0),
    Shop("taller", "generic", "taller", "taller.example", "demo-secret-7", 500_000, 0.0),
)
EVERY = SHOPS + FURTHER
#: The shop whose API is read whole, and that takes part in newsletters both ways.
SYNCED = FURTHER[-1]


@dataclass(frozen=True, slots=True)
class Person:
    """A buyer, maybe at several shops of one account, who may change names meanwhile.

    `accounts` has their customer id at each shop that knows them as more than a guest.
    """

    email: str
    first: str
    last: str
    country: str
    accounts: dict[str, int] = field(default_factory=dict)
    renamed: datetime | None = None
    new_last: str = ""

    @property
    def name(self) -> tuple[str, str]:
        """First and last name."""
        return self.first, self.last

    def as_of(self, at: datetime) -> Person:
        """The person with the name they had then; every body made at a moment agrees on it."""
        if self.renamed is None or at < self.renamed:
            return self
        return replace(self, last=self.new_last, renamed=None)


@dataclass(slots=True)
class Article:
    """Something for sale. `announced` is False if no product event has it."""

    id: int
    title: str
    price: Decimal
    was: Decimal | None
    announced: bool = True
    stock: int = 50


@dataclass(slots=True)
class OrderLine:
    """`units` ordered, of which `left` remain; `price` is of a unit, `discount` of the whole line."""

    article: Article
    units: int
    left: int
    price: Decimal
    discount: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        """Of what is left of it; discounts fall on all units alike."""
        return (self.price - self.discount / self.units) * self.left


Status = Literal["draft", "pending", "paid", "completed", "partly_refunded", "cancelled", "deleted"]
SOLD: frozenset[Status] = frozenset({"paid", "completed", "partly_refunded"})


@dataclass(slots=True)
class Order:
    """An order as it stands at `updated`."""

    id: int
    buyer: Person
    placed: datetime
    updated: datetime
    lines: list[OrderLine]
    shipping: Decimal
    status: Status = "pending"
    ticked: bool = False
    is_test: bool = False
    email: str | None = None
    tags: list[str] = field(default_factory=list)
    #: Paid back without saying for which line (WooCommerce).
    refunded: Decimal = Decimal(0)
    presentment: str | None = None
    template: int = 0

    @property
    def total(self) -> Decimal:
        """What the shop says it is now."""
        return sum((line.total for line in self.lines), self.shipping) - self.refunded


_FIRST = (
    "Ada",
    "Bruno",
    "Carla",
    "Diego",
    "Elena",
    "Félix",
    "Greta",
    "Hugo",
    "Inés",
    "João",
    "Katrin",
    "Luca",
    "Marta",
    "Noé",
    "Olga",
    "Pau",
    "Renée",
)
_LAST = (
    "Ferrer",
    "García",
    "Hoffmann",
    "Iglesias",
    "Jansen",
    "Källström",
    "López",
    "Moreau",
    "Núñez",
    "Øster",
    "Peña",
    "Rossi",
    "Šimek",
)
#: Names that are known to break exports, imports or terminals.
HOSTILE = (
    ("=HYPERLINK(1,2)", '"Quote"; DROP TABLE contacts;--'),
    ("O'Brien, Jr.", "semi;colon|pipe,comma"),
    ("-2+3", "@SUM(A1:A9)"),
    ("Zoë 👩🏽‍🚀", "🧵🪡"),
    ("محمد", "عبد الله"),
    ("יעל", "בן־דוד"),
    ("Robert\u2019); --", "<script>alert(1)</script>"),
    ("名前", "株式会社テスト"),
    ("null", "undefined"),
    ("Line\nBreak", "Tab\tBed"),
    ("A" * 180, "Very Long"),
)
_THINGS = (
    "Shirt",
    "Scarf",
    "Mug",
    "Lamp",
    "Chair",
    "Notebook",
    "Backpack",
    "Teapot",
    "Blanket",
    "Candle",
    "WebhookSender",
    "Vase",
)
_KINDS = (
    "Linen",
    "Wool",
    "Oak",
    "Ceramic",
    "Recycled",
    "Vintage",
    "Nordic",
    "Folding",
    "Enamel",
    "Blue",
    "Striped",
)
_COUNTRIES = ("ES", "FR", "DE", "IT", "PT")


#: One person in so many has a name out of `HOSTILE`; small runs have one too.
_RARE = 8
_ODD_TITLE = 5
_UNANNOUNCED = 4
_REGULARS = range(2)


def chance(rng: Random, probability: float) -> bool:
    """Whether something of that probability happens."""
    return rng.random() < probability


def crowd(rng: Random, account: str, size: int, start: datetime, end: datetime) -> list[Person]:
    """The people who buy at an account's shops; each shop knows most of them, all know the first two."""
    shops = [shop for shop in SHOPS if shop.account == account]
    hostile = range(3, size, _RARE)
    people = []
    for number in range(size):
        first, last = rng.choice(_FIRST), rng.choice(_LAST)
        if number in hostile:
            first, last = HOSTILE[number // _RARE % len(HOSTILE)]
        renamed = chance(rng, 0.15)
        people.append(
            Person(
                email=f"customer{number}@{account}.example",
                first=first,
                last=last,
                country=rng.choice(_COUNTRIES),
                accounts={
                    shop.name: shop.first_id + 500_000 + number
                    for shop in shops
                    if chance(rng, 0.7) or number in _REGULARS
                },
                renamed=start + (end - start) * rng.random() if renamed else None,
                new_last=rng.choice(_LAST) + "-Neu",
            )
        )
    return people


def article(rng: Random, number: int, shop: Shop) -> Article:
    """The shop's `number`-th product; some are known only from orders, some are reduced."""
    price = Decimal(rng.randrange(300, 19_900)) / 100
    was = price + Decimal(rng.randrange(100, 5_000)) / 100 if number % 3 == 0 else None
    title = f"{rng.choice(_KINDS)} {rng.choice(_THINGS)} No. {number}"
    if number % 20 == _ODD_TITLE:
        title = f'{title} "24″; 50 % | <b>&amp;</b> 🎁'
    return Article(shop.first_id + number, title, price, was, announced=number % 9 != _UNANNOUNCED)
