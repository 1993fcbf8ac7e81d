"""One account: everything a Connectif store holds, and what was done to it."""

from __future__ import annotations

from collections import Counter

from pipeline.config import AccountSettings
from pipeline.sandbox.connectif.http.call_log import CallLog
from pipeline.sandbox.connectif.http.rate_limit import Bucket
from pipeline.sandbox.connectif.http.responses import refuse
from pipeline.sandbox.connectif.jobs.exports import Exports
from pipeline.sandbox.connectif.jobs.imports import Imports
from pipeline.sandbox.connectif.model.contacts import Contacts
from pipeline.sandbox.connectif.model.coupons import CouponSets, CouponSetSeed
from pipeline.sandbox.connectif.model.definitions import Definitions
from pipeline.sandbox.connectif.model.domains import Domains
from pipeline.sandbox.connectif.model.products import Products
from pipeline.sandbox.connectif.model.purchases import Purchases
from pipeline.sandbox.connectif.model.storage import Shelf, id_maker
from pipeline.sandbox.connectif.simulation.state import World


class Account:
    """The state of one account.

    Args:
        name: as in the settings.
        number: its place among the accounts; part of its ids.
        settings: its limit and domains.
        world: what it shares with the others.
    """

    def __init__(self, name: str, number: int, settings: AccountSettings, world: World) -> None:
        self.name = name
        self.number = number
        self.settings = settings
        self.world = world
        self.reset()

    def reset(self) -> None:
        """Forget everything that was done."""
        world, domains = self.world, Domains(self.settings.authorised_domains)
        # 16 sorts of ids per account; the seed makes those of two runs differ.
        spaces = iter(range(((self.number + 1 + self.world.seed) & 0xFFFF) << 4, 1 << 20))
        self.contacts = Contacts(next(spaces))
        self.products = Products(next(spaces), domains)
        self.purchases = Purchases(next(spaces), self.contacts)
        self.coupon_sets = CouponSets(next(spaces), next(spaces))
        self.contact_fields = Definitions(id_maker(next(spaces)))
        self.integrations = Definitions(id_maker(next(spaces)))
        self.event_types = Definitions(id_maker(next(spaces)))
        self.imports = Imports(self, id_maker(next(spaces)))
        self.exports = Exports(self, id_maker(next(spaces)))
        make_id, now = id_maker(next(spaces)), world.now()
        self.id = make_id(0, now, 1)
        self.workflow_id = make_id(1, now, 1)
        self.event_id = id_maker(next(spaces))
        self.coupon_sets.make(CouponSetSeed(account=self.name, workflow_ids=(self.workflow_id,)), now)
        self.activities: Counter[str] = Counter()
        self.bucket = Bucket(world.window)
        self.log = CallLog(world.calls_kept, world.window)

    @property
    def limit(self) -> int:
        """Calls in a window."""
        return self.world.switches.calls_per_minute or self.settings.calls_per_minute

    def shelves(self) -> dict[str, Shelf]:
        """Everything that is counted, by its name in the ledger."""
        return {
            "contacts": self.contacts.shelf,
            "products": self.products.shelf,
            "purchases": self.purchases.shelf,
            "coupons": self.coupon_sets.codes,
        }

    def consume(self, activity: str) -> None:
        """Count an event against the activity allowance."""
        self.activities[activity] += 1

    def check_allowance(self) -> None:
        """Refuse what would consume an activity once none is left.

        Raises:
            Refusal: 403.
        """
        allowance = self.world.switches.activity_allowance
        if allowance and self.activities.total() >= allowance:
            raise refuse(403, "The account has been blocked: its activities are used up.")
