"""The callback addresses that an account has, and the callbacks that imports make by themselves."""

from __future__ import annotations

import asyncio
from typing import Literal

import httpx
from pydantic import BaseModel, ConfigDict

from pipeline.sandbox.connectif.jobs.callbacks import Callback, send_callback
from pipeline.sandbox.connectif.model.account_data import AccountData

#: Callbacks under way: the loop itself keeps no task alive.
_TASKS: set[asyncio.Task[object]] = set()


class CallbackUrls(BaseModel):
    """What is typed into the account's newsletter settings; left out, that callback is not made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str
    subscribed: str | None = None
    unsubscribed: str | None = None
    bounced: str | None = None

    def of(self, what: Literal["subscribed", "unsubscribed", "bounced"]) -> str | None:
        """The address of one callback."""
        return {"subscribed": self.subscribed, "unsubscribed": self.unsubscribed, "bounced": self.bounced}[
            what
        ]


def put_urls(urls: CallbackUrls, data: AccountData, transport: httpx.AsyncBaseTransport | None) -> None:
    """From now on the account calls these, also where an import makes somebody unsubscribed."""

    def unsubscribed(email: str) -> None:
        if urls.unsubscribed is None:
            return
        # The contact is changed already, and an import names no network address.
        callback = Callback(account=data.name, type="unsubscribed", url=urls.unsubscribed, email=email)
        task = asyncio.get_running_loop().create_task(send_callback(callback, data, transport))
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)

    data.callback_urls = {
        what: url for what in ("subscribed", "unsubscribed", "bounced") if (url := urls.of(what)) is not None
    }
    data.on_unsubscribed = unsubscribed


def with_url(callback: Callback, data: AccountData) -> Callback:
    """The callback to the account's own address, where none is named."""
    url = data.callback_urls.get(callback.type)
    return callback if callback.url is not None or url is None else callback.model_copy(update={"url": url})
