"""Whether both sides let us in, and allow what is needed: read-only requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from pipeline.check.store.context import AccountCalls, StoreCheck
from pipeline.check.store.result import Step, by_hand, fault, ok, skipped, warning
from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.shops.examination import Question, ShopExamination
from pipeline.sync import answers
from pipeline.sync.requests import ADVICE

CONNECTIF, SHOP = "Connectif: key and permissions", "shop: credentials and rights"
_KEYS = "Store settings > API and IP access > API Keys"


async def connectif(check: StoreCheck) -> list[Step]:
    """Each account's key, and what it may read; what it may write shows the test sale."""
    found: list[Step] = []
    for account in check.accounts.values():
        found += await _of_account(check, account)
    return found


async def _of_account(check: StoreCheck, account: AccountCalls) -> list[Step]:
    trial = check.trial
    reads: dict[str, Callable[[ConnectifClient], Awaitable[Answer]]] = {
        "contacts": lambda client: client.get_contact(trial.address),
        "products": lambda client: client.get_product(trial.product),
        "purchases": lambda client: client.get_purchase(trial.number),
    }
    forbidden: list[str] = []
    for what, read in reads.items():
        answer = await account.call(read)
        match answer.kind:
            case AnswerKind.UNAUTHORISED:
                said = f"account {account.name}: Connectif refuses the key (401)"
                return [fault(CONNECTIF, said, f"make a key at {_KEYS}, and put id:secret into api_key")]
            case AnswerKind.FORBIDDEN:
                forbidden.append(what)
            case AnswerKind.ABSENT | AnswerKind.OK | AnswerKind.CREATED:
                pass
            case _:
                why = answer.detail or str(answer.kind)
                todo = "see base_url of the account, and the network"
                return [fault(CONNECTIF, f"account {account.name}: no answer that counts: {why}", todo)]
    if forbidden:
        said = f"account {account.name}: the key may not read {', '.join(forbidden)}"
        return [fault(CONNECTIF, said, f"allow it to at {_KEYS}: read and write")]
    return [ok(CONNECTIF, f"account {account.name}: the key reads contacts, products and purchases")]


async def shop(check: StoreCheck) -> list[Step]:
    """The shop's API: each right that is needed, and what the answers show."""
    examination = check.platform.examination
    if examination is None:
        said = f"{check.platform.title}s have no API that is asked: see that `account` and `domain` are right"
        return [by_hand(SHOP, said)]
    if check.shop is None:
        return [skipped(SHOP, f"the store has no credentials: {examination.lacking}", "set them")]
    return await _examined(check, examination)


async def _examined(check: StoreCheck, examination: ShopExamination[Any]) -> list[Step]:
    assert check.shop is not None  # noqa: S101 - asked before
    found: dict[str, Any] = {}
    steps: list[Step] = []
    for question in examination.questions(check.store):
        answer = await check.shop.send(question.request)
        if isinstance(answer, answers.Found):
            found[question.right] = answer.value
            continue
        steps.append(_refused(question, answer))
        if isinstance(answer, answers.Failed | answers.TooMany):
            return steps  # nor would it answer to the others
    steps += _remarks(check, examination, found)
    if not steps:
        steps.append(ok(SHOP, f"the shop's API answers, and allows {len(found)} of {len(found)} rights"))
    return steps


def _refused(question: Question, answer: answers.Answer) -> Step:
    label = answers.label(answer)
    if isinstance(answer, answers.Unauthorised):
        said, todo = f"not allowed ({answer.status}): {question.right}", "give the credentials this right"
    elif isinstance(answer, answers.Missing | answers.Refused):
        said, todo = (
            f"the shop answers {answer.status}: {question.right}",
            "see api_url, and the shop's version",
        )
    else:
        said = f"the shop's API gives no usable answer ({label})"
        todo = ADVICE.get(label, "try again in some minutes")
    return fault(SHOP, said, todo) if question.needed else warning(SHOP, said, todo)


def _remarks(check: StoreCheck, examination: ShopExamination[Any], found: dict[str, Any]) -> Iterator[Step]:
    for remark in examination.remarks(check.store, found):
        yield (fault if remark.is_fault else warning)(SHOP, remark.said, remark.todo)
