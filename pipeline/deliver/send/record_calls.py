"""One record's calls: what is sent for a command, and how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.connectif.answers import Answer, AnswerKind
from pipeline.connectif.client import ConnectifClient
from pipeline.connectif.payloads import product_payload
from pipeline.deliver.send.admission import TELL, Permit
from pipeline.deliver.send.health import Sign, sign_of
from pipeline.deliver.state.commands import DeleteProduct, PutProduct
from pipeline.deliver.state.ending import Ending
from pipeline.deliver.state.key import Key
from pipeline.records import Outcome


@dataclass(frozen=True, slots=True)
class Retry:
    """The record is to be sent again.

    Attributes:
        sign: what kept it: a failure of the account, or for `WELL` an answer that cannot be used yet.
        tried: whether Connectif may hold this version, or something else than before.
        reason: of the dead letter, if answers cannot be used for too long.
        detail: Connectif's message.
    """

    sign: Sign
    tried: bool = False
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Records that this one needs are pending: they go first. `tried` as in `Retry`."""

    needs: tuple[Key, ...]
    tried: bool = False


Result = Ending | Retry | Blocked


def result_of(answer: Answer, reason: str, *, touched: bool = False, deletes: bool = False) -> Ending | Retry:
    """How a record ends by the answer to a write, or that it is sent again.

    Args:
        answer: the answer.
        reason: of the receipt, where it was carried out.
        touched: whether an earlier call of the task changed what Connectif holds.
        deletes: whether absence is what the call was for.
    """
    if answer.good or (deletes and answer.kind is AnswerKind.ABSENT):
        return Ending(Outcome.DELIVERED, reason, status=answer.status)
    sign = sign_of(answer, may_be_absent=deletes)
    if sign is not Sign.WELL:
        return Retry(sign, tried=touched or answer.carried_out is None, detail=answer.detail)
    # A contact or product is never "already there": two contacts cannot have one external id.
    dead = "conflict" if answer.kind is AnswerKind.ALREADY else answer.kind.value
    return Ending(Outcome.DEAD, dead, answer.detail, answer.status)


async def send_product(
    client: ConnectifClient, permit: Permit, key: Key, command: PutProduct | DeleteProduct
) -> Result:
    """Write a product, or delete it."""
    if isinstance(command, DeleteProduct):
        answer = await permit.call("products", lambda: client.delete_product(key.id), may_be_absent=True)
        return result_of(answer, "deleted", deletes=True)
    answer = await put_product(client, permit, key, command.fields)
    return result_of(answer, _written(answer))


async def put_product(
    client: ConnectifClient, permit: Permit, key: Key, fields: Mapping[str, Any], *, purpose: str = TELL
) -> Answer:
    """Create or change a product."""
    payload = product_payload(fields)
    return await permit.call("products", lambda: client.put_product(key.id, payload), purpose=purpose)


def _written(answer: Answer) -> str:
    return "created" if answer.kind is AnswerKind.CREATED else "updated"
