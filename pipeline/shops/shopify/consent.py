"""How a customer's consent to e-mail is read and written by Shopify's GraphQL Admin API.

The state that counts there is that of the record with the latest `consentUpdatedAt`: each write has the
moment of the decision, and one that is older changes nothing. Consent to text messages is another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from pipeline.shops.api import ApiRequest
from pipeline.shops.base import Rejected
from pipeline.shops.consent import Account, ShopConsent, Shown, Wanted
from pipeline.shops.shopify.api import PATH
from pipeline.shops.shopify.fields import mapping
from pipeline.shops.shopify.settings import ShopifySettings
from pipeline.shops.values import epoch_ms, instant, text

_FIND = """query Find($email: String!) {
  customerByIdentifier(identifier: {emailAddress: $email}) {
    id defaultEmailAddress { emailAddress marketingState marketingOptInLevel marketingUpdatedAt }
  }
}"""
_WRITE = """mutation Consent($input: CustomerEmailMarketingConsentUpdateInput!) {
  customerEmailMarketingConsentUpdate(input: $input) {
    customer { id defaultEmailAddress { emailAddress marketingState marketingUpdatedAt } }
    userErrors { field message code }
  }
}"""
_SHOWN: Mapping[str, Shown] = {
    "SUBSCRIBED": "subscribed",
    "UNSUBSCRIBED": "unsubscribed",
    "PENDING": "pending",
}
#: Longest code of an error that is repeated: the shop's words are not, they may name the person.
_CODE = 40


def unsupported(settings: ShopifySettings) -> str:
    """Without credentials nothing can be written."""
    return "" if settings.readable else "neither access_token nor client_id of the store is set"


def find(settings: ShopifySettings, address: str) -> ApiRequest:  # noqa: ARG001 - as `ShopConsent` has it
    """The customer of exactly this address."""
    return _graphql(_FIND, {"email": address})


def read(settings: ShopifySettings, address: str, value: Any) -> Sequence[Account]:  # noqa: ARG001 - as `ShopConsent` has it
    """The customer, if there is one.

    Raises:
        Rejected: `not_documents`: it is no answer to `find`.
    """
    data = mapping(value).get("data")
    if not isinstance(data, dict) or "customerByIdentifier" not in data:
        raise Rejected("not_documents", "data", "no answer to the question for a customer")
    customer = mapping(data["customerByIdentifier"])
    own = text(customer.get("id"), 100)
    if own is None:
        return ()
    held = mapping(customer.get("defaultEmailAddress"))
    state = _SHOWN.get(str(held.get("marketingState")), "none")
    since = held.get("marketingUpdatedAt")
    at_ms = None if since is None else epoch_ms(instant(since, "marketingUpdatedAt"))
    return (Account(own, state, at_ms),)


def write(settings: ShopifySettings, account: Account, wanted: Wanted) -> ApiRequest:  # noqa: ARG001 - as `ShopConsent` has it
    """The mutation, with the moment of the decision: in whole seconds, never later than it."""
    said = datetime.fromtimestamp(wanted.at_ms // 1_000, UTC)
    consent = {
        "marketingState": wanted.state.upper(),
        "consentUpdatedAt": said.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if wanted.state == "subscribed":
        consent["marketingOptInLevel"] = "SINGLE_OPT_IN"
    return _graphql(_WRITE, {"input": {"customerId": account.id, "emailMarketingConsent": consent}})


def refusal(value: Any) -> str:
    """The codes of the errors that an answer lists: Shopify answers 200 all the same."""
    payload = mapping(mapping(mapping(value).get("data")).get("customerEmailMarketingConsentUpdate"))
    errors = payload.get("userErrors")
    if not isinstance(errors, list) or not errors:
        return ""
    codes = sorted({str(mapping(one).get("code") or "unknown")[:_CODE] for one in errors})
    return f"Shopify refuses the mutation: {', '.join(codes)[:200]}"


def _graphql(query: str, variables: Mapping[str, Any]) -> ApiRequest:
    return ApiRequest(PATH, "POST", body=orjson.dumps({"query": query, "variables": variables}))


CONSENT: ShopConsent[ShopifySettings] = ShopConsent(
    unsupported=unsupported,
    find=find,
    read=read,
    write=write,
    refusal=refusal,
    rights=("write_customers",),
)
