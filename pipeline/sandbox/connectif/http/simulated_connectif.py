"""All accounts of the simulated Connectif, with their API keys."""

from __future__ import annotations

import httpx

from pipeline.config import Settings
from pipeline.errors import SettingsError
from pipeline.sandbox.connectif.http.account import SimulatedAccount
from pipeline.sandbox.connectif.http.api_keys import ApiKeys
from pipeline.sandbox.connectif.simulation.state import SimulationState


class SimulatedConnectif:
    """The state behind the routes.

    Args:
        settings: accounts with their keys, limits and domains.
        simulation: what the accounts share.
        callback_transport: where outbound callbacks go; None is the network.

    Raises:
        SettingsError: two accounts with one key.
    """

    def __init__(
        self,
        settings: Settings,
        simulation: SimulationState,
        callback_transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self.simulation = simulation
        self.callback_transport = callback_transport
        self.keys = ApiKeys()
        self.accounts: dict[str, SimulatedAccount] = {}
        #: Calls with an unknown key.
        self.unauthorised = 0
        seen: set[str] = set()
        for number, (name, account) in enumerate(settings.accounts.items()):
            key = account.api_key.get_secret_value()
            if key in seen:
                raise SettingsError("two accounts have the same API key", store=name, field="api_key")
            seen.add(key)
            self.accounts[name] = SimulatedAccount(name, number, account, simulation)
            self.keys.add(key, self.accounts[name])

    def reset(self, account: str | None = None) -> None:
        """Forget what was done, of one account or of all.

        Of all: the API's behaviour and the faults are as at the start, too.
        """
        if account is not None:
            self.accounts[account].reset()
            return
        self.simulation.reset()
        self.unauthorised = 0
        for one in self.accounts.values():
            one.reset()
