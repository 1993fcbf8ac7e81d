"""PrestaShop's hooks as topics: many modules send the name of the hook that they hang on."""

from __future__ import annotations

import re

#: Somebody used the newsletter's form. It writes the customer's row without any hook of the customer's.
NEWSLETTER = "customer.newsletter"
#: The shop's own GDPR module has erased somebody.
ERASED = "customer.erased"

_HOOKS = {
    "actionvalidateorder": "order.created",
    "actionvalidateorderafter": "order.created",
    "actionorderstatusupdate": "order.updated",
    "actionorderstatuspostupdate": "order.updated",
    "actionpaymentconfirmation": "order.updated",
    "actionorderedited": "order.updated",
    "actionproductcancel": "order.updated",
    "actionorderslipadd": "orderslip.created",
    "actioncustomeraccountadd": "customer.created",
    "actioncustomeraccountupdate": "customer.updated",
    "actiondeletegdprcustomer": ERASED,
    "actionnewsletterregistrationbefore": NEWSLETTER,
    "actionnewsletterregistrationafter": NEWSLETTER,
    "actionproductadd": "product.created",
    "actionproductupdate": "product.updated",
    "actionproductsave": "product.updated",
    "actionproductdelete": "product.deleted",
    "actionupdatequantity": "stockavailable.updated",
}
_OF_OBJECTS = re.compile(r"actionobject([a-z]{2,40}?)(add|update|delete)(?:after|before)", re.ASCII)
_DONE = {"add": "created", "update": "updated", "delete": "deleted"}
_LONGEST = 100


def topic_of_hook(name: str) -> str:
    """The topic that a hook's name means; "" where it is none that is known."""
    plain = name.strip().lower()[:_LONGEST]
    if (match := _OF_OBJECTS.fullmatch(plain)) is not None:
        return f"{match[1]}.{_DONE[match[2]]}"
    return _HOOKS.get(plain, "")
