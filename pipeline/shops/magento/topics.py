"""What Magento's webhooks say, by the name of the event: Adobe's, of Mage-OS's module, and of Mageplaza's.

Adobe's events hold the fields the merchant chose, as its database has them: they are taken for names of what
happened, and the document is fetched. Its newsletter event is in no list of Adobe's, but every model's `save`
can be registered. Mage-OS's module sends whole documents. Mageplaza's sends what its template says: we ask
for names. Those with a `menu` are registered at Adobe; docs/shops/magento.md has the modules'.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.events import Kind
from pipeline.shops.api import IGNORED
from pipeline.shops.platform import TopicMeaning, TopicTable, WebhookTopic

#: Names of documents that come without the name of an event, by what they look like.
PLAIN_ORDER, PLAIN_CUSTOMER, PLAIN_PRODUCT = "rest/order", "rest/customer", "rest/product"

_OWN = ("entity_id", "id")
_OF_ORDER = ("order_id", "parent_id")
_OF_PRODUCT = ("product_id",)
_OF_CUSTOMER = ("customer_id",)
_SAVED = ("save_after", "save_commit_after")


@dataclass(frozen=True, slots=True)
class MagentoTopic(WebhookTopic):
    """A topic, and the fields that can hold the entity's id, best first."""

    ids: tuple[str, ...] = _OWN


def _named(name: str, kind: Kind, ids: tuple[str, ...] = _OWN, menu: str = "") -> MagentoTopic:
    """An event that names what must be fetched."""
    return MagentoTopic(name, kind, TopicMeaning.NOTIFICATION, menu=menu, reason=IGNORED, ids=ids)


def _gone(name: str, kind: Kind, menu: str = "", setting: str = "") -> MagentoTopic:
    return MagentoTopic(name, kind, TopicMeaning.DELETION, menu=menu, setting=setting)


def _ignored(name: str, kind: Kind) -> MagentoTopic:
    return MagentoTopic(name, kind, TopicMeaning.IGNORED, reason="not_told")


def _asked_for(name: str, kind: Kind, ids: tuple[str, ...] = _OWN) -> MagentoTopic:
    return _named(name, kind, ids, menu=name)


_ORDERS = (
    _asked_for("observer.sales_order_save_commit_after", Kind.ORDER),
    _named("observer.sales_order_save_after", Kind.ORDER),
    _named("observer.sales_order_place_after", Kind.ORDER),
    _named("plugin.sales.api.order_management.place", Kind.ORDER),
    *(
        _named(f"observer.sales_order_{part}_{saved}", Kind.ORDER, _OF_ORDER)
        for part in ("invoice", "creditmemo", "shipment")
        for saved in _SAVED
    ),
)
_CUSTOMERS = (
    _asked_for("observer.customer_save_commit_after", Kind.CUSTOMER),
    _named("observer.customer_save_after", Kind.CUSTOMER),
    _named("observer.customer_register_success", Kind.CUSTOMER),
    *(
        _named(f"observer.customer_address_{saved}", Kind.CUSTOMER, ("customer_id", "parent_id"))
        for saved in _SAVED
    ),
    _gone(
        "observer.customer_delete_commit_after",
        Kind.CUSTOMER,
        menu="observer.customer_delete_commit_after",
        setting="on_customer_deleted",
    ),
    _gone("observer.customer_delete_after", Kind.CUSTOMER),
    *(
        MagentoTopic(
            f"observer.newsletter_subscriber_{saved}", Kind.CUSTOMER, TopicMeaning.CONSENT, ids=_OF_CUSTOMER
        )
        for saved in _SAVED
    ),
)
_PRODUCTS = (
    _asked_for("observer.catalog_product_save_commit_after", Kind.PRODUCT),
    _named("observer.catalog_product_save_after", Kind.PRODUCT),
    _asked_for("observer.cataloginventory_stock_item_save_commit_after", Kind.PRODUCT, _OF_PRODUCT),
    _named("observer.cataloginventory_stock_item_save_after", Kind.PRODUCT, _OF_PRODUCT),
    _gone(
        "observer.catalog_product_delete_commit_after",
        Kind.PRODUCT,
        menu="observer.catalog_product_delete_commit_after",
    ),
    _gone("observer.catalog_product_delete_after", Kind.PRODUCT),
)
#: mage-os/mageos-common-async-events.
_OF_MAGE_OS = (
    MagentoTopic("sales.order.*", Kind.ORDER),
    *(
        _named(f"sales.{part}.{done}", Kind.ORDER, _OF_ORDER)
        for part, done in (
            ("invoice", "created"),
            ("invoice", "paid"),
            ("shipment", "created"),
            ("creditmemo", "created"),
        )
    ),
    MagentoTopic("customer.created", Kind.CUSTOMER),
    MagentoTopic("customer.updated", Kind.CUSTOMER),
    _named("customer.address.created", Kind.CUSTOMER, _OF_CUSTOMER),
    _named("customer.address.updated", Kind.CUSTOMER, _OF_CUSTOMER),
    _gone("customer.deleted", Kind.CUSTOMER),
    _ignored("customer.login", Kind.CUSTOMER),
    MagentoTopic("catalog.product.created", Kind.PRODUCT),
    MagentoTopic("catalog.product.updated", Kind.PRODUCT),
    _gone("catalog.product.deleted", Kind.PRODUCT),
    _ignored("cms.*", Kind.PRODUCT),
)
#: mageplaza/magento-2-webhook, by the types of its hooks.
_OF_MAGEPLAZA = (
    _named("order", Kind.ORDER),
    _named("new_order_comment", Kind.ORDER, _OF_ORDER),
    _named("new_invoice", Kind.ORDER, _OF_ORDER),
    _named("new_shipment", Kind.ORDER, _OF_ORDER),
    _named("new_creditmemo", Kind.ORDER, _OF_ORDER),
    _named("new_customer", Kind.CUSTOMER),
    _named("update_customer", Kind.CUSTOMER),
    _gone("delete_customer", Kind.CUSTOMER),
    MagentoTopic("subscriber", Kind.CUSTOMER, TopicMeaning.CONSENT, ids=_OF_CUSTOMER),
    _named("new_product", Kind.PRODUCT),
    _named("update_product", Kind.PRODUCT),
    _gone("delete_product", Kind.PRODUCT),
    _ignored("customer_login", Kind.CUSTOMER),
    _ignored("abandoned_cart", Kind.ORDER),
    *(_ignored(f"{done}_category", Kind.PRODUCT) for done in ("new", "update", "delete")),
)

TOPICS = TopicTable(
    (
        *_ORDERS,
        *_CUSTOMERS,
        *_PRODUCTS,
        *_OF_MAGE_OS,
        *_OF_MAGEPLAZA,
        MagentoTopic(PLAIN_ORDER, Kind.ORDER),
        MagentoTopic(PLAIN_CUSTOMER, Kind.CUSTOMER),
        MagentoTopic(PLAIN_PRODUCT, Kind.PRODUCT),
    )
)
