"""One record's calls: what is sent for a verdict, and how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.connectif.payloads import product_payload
from pipeline.deliver.gate import TELL, Pass
from pipeline.deliver.health import Sign, sign_of
from pipeline.deliver.receipts import Ending, Key
from pipeline.deliver.verdicts import DeleteProduct, PutProduct
from pipeline.records import Outcome


@dataclass(frozen=True, slots=True)
class Again:
    """The record is to be told again.

    Attributes:
        sign: what kept it: the account's trouble, or for `WELL` an answer that makes no sense yet.
        tried: whether Connectif may hold this version, or something else than before.
        reason: why it is given up where it makes no sense for too long.
        detail: Connectif's words.
    """

    sign: Sign
    tried: bool = False
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Aside:
    """Records that this one needs wait themselves: they go first. `tried` as in `Again`."""

    needs: tuple[Key, ...]
    tried: bool = False


Result = Ending | Again | Aside


def result_of(answer: Answer, reason: str, *, touched: bool = False, deletes: bool = False) -> Ending | Again:
    """What a write's answer makes of its record.

    Args:
        answer: the answer.
        reason: of the receipt, where it was carried out.
        touched: whether an earlier call of the errand changed what Connectif holds.
        deletes: whether absence is what the call was for.
    """
    if answer.good or (deletes and answer.kind is AnswerKind.ABSENT):
        return Ending(Outcome.DELIVERED, reason, status=answer.status)
    sign = sign_of(answer, may_be_absent=deletes)
    if sign is not Sign.WELL:
        return Again(sign, tried=touched or answer.carried_out is None, detail=answer.detail)
    # A contact or product is never "already there": two contacts cannot have one external id.
    dead = "conflict" if answer.kind is AnswerKind.ALREADY else answer.kind.value
    return Ending(Outcome.DEAD, dead, answer.detail, answer.status)


async def tell_product(
    client: ConnectifClient, way: Pass, key: Key, verdict: PutProduct | DeleteProduct
) -> Result:
    """Write a product, or delete it."""
    if isinstance(verdict, DeleteProduct):
        answer = await way.call("products", lambda: client.delete_product(key.id), may_be_absent=True)
        return result_of(answer, "deleted", deletes=True)
    answer = await put_product(client, way, key, verdict.fields)
    return result_of(answer, _written(answer))


async def put_product(
    client: ConnectifClient, way: Pass, key: Key, fields: Mapping[str, Any], *, purpose: str = TELL
) -> Answer:
    """Create or change a product."""
    payload = product_payload(fields)
    return await way.call("products", lambda: client.put_product(key.id, payload), purpose=purpose)


def _written(answer: Answer) -> str:
    return "created" if answer.kind is AnswerKind.CREATED else "updated"
