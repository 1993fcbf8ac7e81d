"""One account: its data, its imports and exports, its limit of calls and the log of them."""

from __future__ import annotations

from pipeline.config_accounts import AccountSettings
from pipeline.sandbox.connectif.http.call_log import CallLog
from pipeline.sandbox.connectif.http.rate_limit import RateLimiter
from pipeline.sandbox.connectif.jobs.exports import ExportJobs
from pipeline.sandbox.connectif.jobs.imports import ImportJobs
from pipeline.sandbox.connectif.model.account_data import AccountData
from pipeline.sandbox.connectif.model.ids import AccountIds, IdSpace
from pipeline.sandbox.connectif.simulation.state import SimulationState


class SimulatedAccount:
    """The state of one account.

    Args:
        name: as in the settings.
        number: its number among the accounts; part of its ids.
        settings: its limit and domains.
        simulation: what it shares with the other accounts.
    """

    def __init__(
        self, name: str, number: int, settings: AccountSettings, simulation: SimulationState
    ) -> None:
        self.name = name
        self.settings = settings
        self.simulation = simulation
        self._ids = AccountIds(number, simulation.seed)
        self.reset()

    def reset(self) -> None:
        """Forget everything that was done."""
        simulation, ids = self.simulation, self._ids
        self.data = AccountData(self.name, self.settings, ids, simulation)
        self.imports = ImportJobs(self.data, ids.maker(IdSpace.IMPORTS))
        self.exports = ExportJobs(simulation, ids.maker(IdSpace.EXPORTS))
        self.rate_limiter = RateLimiter(simulation.window)
        self.log = CallLog(simulation.calls_kept, simulation.window)

    @property
    def limit(self) -> int:
        """Calls in a window."""
        return self.simulation.behaviour.calls_per_minute or self.settings.calls_per_minute
