"""Whether Connectif takes the addresses of the store's products: are they of the authorised domains."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from pipeline.check.store.context import AccountCalls, StoreCheck
from pipeline.check.store.result import Step, fault, ok, warning
from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.shops.catalogue import product_page

NAME = "authorised domains"
_MENU = "Connectif, Store settings > Channels > Web > Advanced"


async def domains(check: StoreCheck) -> list[Step]:
    """A test product with a page of the store's domain is made in each account, and taken away again."""
    found: list[Step] = []
    for account in check.accounts.values():
        found += await _of_account(check, account)
    return found


async def _of_account(check: StoreCheck, account: AccountCalls) -> list[Step]:
    context = check.platform.store(check.name, check.store)
    ident = check.store.id_prefix + check.trial.product
    page = product_page(context, check.trial.product, ident)
    origin = f"{urlsplit(page).scheme}://{urlsplit(page).netloc}"
    payload = {
        "name": "Pipeline check",
        "productDetailUrl": page,
        "unitPrice": 1,
        "availability": "outofstock",
    }
    answer = await account.call(lambda client: client.put_product(ident, json.dumps(payload).encode()))
    if answer.good:
        return [*await _taken_away(account, ident), *_settings(check, account, origin)]
    return [_refused(account, origin, answer)]


def _refused(account: AccountCalls, origin: str, answer: Answer) -> Step:
    if answer.kind is AnswerKind.BAD_DOMAIN:
        allowed = ", ".join(answer.domains[:10]) or "none that it names"
        said = f"account {account.name} refuses pages of {origin}; it authorises {allowed}"
        return fault(NAME, said, f"add {origin} at {_MENU}, or correct the store's `domain`")
    if answer.kind is AnswerKind.FORBIDDEN:
        said = f"account {account.name}: the key may not write products"
        return fault(NAME, said, "allow it to at Store settings > API and IP access > API Keys")
    return fault(
        NAME, f"account {account.name}: a test product was refused: {answer.detail}", "see the answer"
    )


async def _taken_away(account: AccountCalls, ident: str) -> list[Step]:
    answer = await account.call(lambda client: client.delete_product(ident))
    if answer.good or answer.kind is AnswerKind.ABSENT:
        return []
    said = f"account {account.name}: test product {ident} could not be deleted: {answer.detail}"
    return [warning(NAME, said, "allow the key to delete products, and delete it in Connectif")]


def _settings(check: StoreCheck, account: AccountCalls, origin: str) -> list[Step]:
    """Beside what Connectif does, what the settings say of it."""
    said = check.settings.accounts[account.name].authorised_domains
    if said and origin.lower() not in {one.lower().rstrip("/") for one in said}:
        lacking = f"account {account.name} takes pages of {origin}, and authorised_domains does not name it"
        return [warning(NAME, lacking, f"add it, if it stands at {_MENU}")]
    return [ok(NAME, f"account {account.name} takes products with pages of {origin}")]
