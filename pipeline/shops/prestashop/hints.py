"""What a module's call names: an entity and its id, whatever the module calls them.

PrestaShop has no webhooks of its own, and each module a form of its own. None is trusted for more than this:
what the entity is, the webservice says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.events import Kind
from pipeline.shops.php import readable_id
from pipeline.shops.prestashop.topics import (
    CUSTOMER,
    ERASED,
    NEWSLETTER,
    ORDER,
    PRODUCT,
)
from pipeline.shops.values import email_text, text

#: Where a body may name what it is about, and where it may hold it.
_NAMES = ("topic", "event", "event_type", "event_name", "hook", "hook_name", "type")
_ENTITIES = ("entity", "resource", "object_type", "collection")
_ACTIONS = ("action", "operation")
_HOLDERS = ("data", "payload", "object", "params", "properties")
_ID_NAMES: Mapping[Kind, tuple[str, ...]] = {
    Kind.ORDER: ("id_order", "order_id", "orderId"),
    Kind.CUSTOMER: ("id_customer", "customer_id", "customerId"),
    Kind.PRODUCT: ("id_product", "product_id", "productId"),
}
_KINDS = {ORDER: Kind.ORDER, CUSTOMER: Kind.CUSTOMER, PRODUCT: Kind.PRODUCT}
#: Things of PrestaShop that belong to an order, a customer or a product, and name it.
_PARTS = {
    **dict.fromkeys(
        (
            "order_slip",
            "order_history",
            "order_detail",
            "order_payment",
            "order_invoice",
            "order_carrier",
            "order_cart_rule",
            "order_return",
            "refund",
            "credit_slip",
        ),
        ORDER,
    ),
    **dict.fromkeys(("address",), CUSTOMER),
    **dict.fromkeys(
        ("combination", "stock_available", "stock", "specific_price", "product_attribute"), PRODUCT
    ),
}
_VERBS = {
    **dict.fromkeys(("add", "added", "create", "created", "new", "insert", "inserted", "post"), "created"),
    **dict.fromkeys(
        (
            "update",
            "updated",
            "edit",
            "edited",
            "modify",
            "modified",
            "save",
            "saved",
            "upsert",
            "put",
            "patch",
        ),
        "updated",
    ),
    **dict.fromkeys(("delete", "deleted", "remove", "removed"), "deleted"),
}
#: PrestaShop's hooks whose names do not follow the rule `actionObject<Class><Verb>After`.
_HOOKS = {
    "actionvalidateorder": "order.created",
    "actionvalidateorderafter": "order.created",
    "actionorderstatusupdate": "order.updated",
    "actionorderstatuspostupdate": "order.updated",
    "actionpaymentconfirmation": "order.updated",
    "actionorderedited": "order.updated",
    "actionorderslipadd": "order.order_slip_created",
    "actionproductcancel": "order.updated",
    "actioncustomeraccountadd": "customer.created",
    "actioncustomeraccountupdate": "customer.updated",
    "actiondeletegdprcustomer": ERASED,
    "actionnewsletterregistrationbefore": NEWSLETTER,
    "actionnewsletterregistrationafter": NEWSLETTER,
    "actionproductadd": "product.created",
    "actionproductupdate": "product.updated",
    "actionproductsave": "product.updated",
    "actionproductdelete": "product.deleted",
    "actionupdatequantity": "product.stock_available_updated",
}
_OBJECT_HOOK = re.compile(r"actionObject([A-Z][A-Za-z]{1,40})(Add|Update|Delete)(?:After|Before)")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORDS = re.compile(r"([a-z][a-z_]{1,40}?)(?:[./:\s-]|__)([a-z][a-z0-9_ -]{1,60})")
_NEWSLETTER_WORDS = frozenset({"newsletter", "consent", "subscriber", "newsletter_registration"})
_LONGEST = 200


class Hint(NamedTuple):
    """What a call names.

    Attributes:
        topic: a name of `topics.py`, or the module's own where nobody knows it; "" where it has none.
        kind: of the entity.
        entity: its id; None where none can be read.
        email: the address, where that is all that is named.
        shop: the shop's id, where it is named.
    """

    topic: str
    kind: Kind
    entity: str | None
    email: str | None = None
    shop: str | None = None


def hint_of(body: Mapping[str, Any], beside: str = "") -> Hint:
    """What a body names; `beside` is the name that a header or the address has."""
    topic, part = _topic(body, beside)
    kind = _KINDS.get(topic.partition(".")[0])
    if kind is None:
        kind, found = _by_shape(body)
        if topic or found is None:
            return Hint(topic, kind, None)
        return Hint(f"{kind}.named", kind, found, None, _shop(body))
    holders = list(_holders(body, kind))
    entity = next(
        (own for holder, whole in holders if (own := _id(holder, kind, part=part and not whole))), None
    )
    email = None
    if topic == NEWSLETTER and entity is None:
        email = next((said for one, _ in holders if (said := email_text(one.get("email")))), None)
    return Hint(topic, kind, entity, email, _shop(body))


def _topic(body: Mapping[str, Any], beside: str) -> tuple[str, bool]:
    """The topic, and whether the call is of a part of the entity, which has an id of its own."""
    entity = next((said for name in _ENTITIES if isinstance(said := body.get(name), str)), "")
    action = next((said for name in _ACTIONS if isinstance(said := body.get(name), str)), "")
    names = [said for name in _NAMES if isinstance(said := body.get(name), str)]
    given = [*names, *([f"{_snake(entity)}.{action}"] if entity else []), action, beside]
    for name in given:
        if found := _known(name[:_LONGEST]):
            return found
    return next((plain for name in given if (plain := text(name, _LONGEST))), ""), False


def _known(name: str) -> tuple[str, bool] | None:
    """A module's name as one of ours."""
    if hook := _HOOKS.get(name.strip().casefold()):
        return hook, "_" in hook.partition(".")[2]
    if match := _OBJECT_HOOK.fullmatch(name.strip()):
        return _joined(_snake(match[1]), match[2].lower())
    if match := _WORDS.fullmatch(name.strip().lower()):
        return _joined(match[1], match[2])
    return None


def _joined(entity: str, verb: str) -> tuple[str, bool] | None:
    verb = re.sub(r"[ -]", "_", _VERBS.get(verb, verb))
    for one in (entity, entity.removesuffix("es"), entity.removesuffix("s")):
        if one in _NEWSLETTER_WORDS:
            return NEWSLETTER, True
        if one in _KINDS:
            return f"{one}.{verb}", False
        if one in _PARTS:
            return f"{_PARTS[one]}.{one}_{verb}", True
    return None


def _snake(name: str) -> str:
    """`OrderSlip` as `order_slip`."""
    return _CAMEL.sub("_", name[:_LONGEST]).lower()


def _holders(body: Mapping[str, Any], kind: Kind) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """The objects that may hold the id, innermost first, and whether each is the entity itself."""
    outer = [found for name in _HOLDERS if isinstance(found := body.get(name), dict)]
    for holder in (*outer, body):
        own = holder.get(kind.value)
        if isinstance(own, dict):
            yield own, True
        yield holder, False


def _id(holder: Mapping[str, Any], kind: Kind, *, part: bool) -> str | None:
    names = _ID_NAMES[kind] if part else (*_ID_NAMES[kind], "id", kind.value)
    return next((own for name in names if (own := readable_id(holder.get(name)))), None)


def _by_shape(body: Mapping[str, Any]) -> tuple[Kind, str | None]:
    """What a body without a name is about: it holds an order, a customer or a product, or names its id."""
    for kind in _KINDS.values():
        for holder, whole in _holders(body, kind):
            found = _id(holder, kind, part=not whole)
            if found is not None:
                return kind, found
    return Kind.ORDER, None


def _shop(body: Mapping[str, Any]) -> str | None:
    holders = [found for kind in _KINDS.values() for found, _ in _holders(body, kind)]
    return next((shop for one in holders if (shop := readable_id(one.get("id_shop")))), None)
