"""What one account holds, and the activities it has consumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from pipeline.config_accounts import AccountSettings
from pipeline.sandbox.connectif.model.api_errors import ApiError
from pipeline.sandbox.connectif.model.contacts import StoredContacts
from pipeline.sandbox.connectif.model.coupons import CouponSetDefinition, CouponSets
from pipeline.sandbox.connectif.model.definitions import Definitions
from pipeline.sandbox.connectif.model.domains import AuthorisedDomains
from pipeline.sandbox.connectif.model.ids import AccountIds, IdSpace
from pipeline.sandbox.connectif.model.products import StoredProducts
from pipeline.sandbox.connectif.model.purchases import StoredPurchases
from pipeline.sandbox.connectif.model.storage import ElementStorage
from pipeline.sandbox.connectif.simulation.state import SimulationState


class AccountData:
    """The data of one account: empty but for one coupon set and one workflow.

    Args:
        name: as in the settings.
        settings: its authorised domains.
        ids: what makes its ids.
        simulation: what it shares with the other accounts.
    """

    def __init__(
        self, name: str, settings: AccountSettings, ids: AccountIds, simulation: SimulationState
    ) -> None:
        self.name = name
        self.simulation = simulation
        domains = AuthorisedDomains(settings.authorised_domains)
        self.contacts = StoredContacts(ids.maker(IdSpace.CONTACTS))
        self.products = StoredProducts(ids.maker(IdSpace.PRODUCTS), domains)
        self.purchases = StoredPurchases(ids.maker(IdSpace.PURCHASES), self.contacts)
        self.coupon_sets = CouponSets(ids.maker(IdSpace.COUPONS), ids.maker(IdSpace.COUPON_SETS))
        self.contact_fields = Definitions(ids.maker(IdSpace.CONTACT_FIELDS))
        self.integrations = Definitions(ids.maker(IdSpace.INTEGRATIONS))
        self.event_types = Definitions(ids.maker(IdSpace.EVENT_TYPES))
        self.make_event_id = ids.maker(IdSpace.EVENTS)
        make_id, now = ids.maker(IdSpace.ACCOUNT), simulation.now()
        self.id = make_id(0, now, 1)
        self.workflow_id = make_id(1, now, 1)
        self.coupon_sets.make(CouponSetDefinition(account=name, workflow_ids=(self.workflow_id,)), now)
        self.activities: Counter[str] = Counter()
        #: Of the newsletter settings, by callback; and what an import does that makes somebody unsubscribed.
        self.callback_urls: dict[str, str] = {}
        self.on_unsubscribed: Callable[[str], None] | None = None

    def storages(self) -> dict[str, ElementStorage]:
        """Everything that is counted, by its name in the ledger."""
        return {
            "contacts": self.contacts.storage,
            "products": self.products.storage,
            "purchases": self.purchases.storage,
            "coupons": self.coupon_sets.codes,
        }

    def consume(self, activity: str) -> None:
        """Count an event against the activity allowance."""
        self.activities[activity] += 1

    def check_allowance(self) -> None:
        """Refuse what would consume an activity once none is left.

        Raises:
            ApiError: 403.
        """
        allowance = self.simulation.behaviour.activity_allowance
        if allowance and self.activities.total() >= allowance:
            raise ApiError(403, "The account has been blocked: its activities are used up.")
