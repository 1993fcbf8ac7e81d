"""Other settings without a gap: on SIGHUP a process checks them, ends in order, and begins again.

Its sockets stay open meanwhile: connections wait. Where the new settings cannot be taken over, what runs goes
on with those that it has.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from pipeline import config, listening
from pipeline.config import Settings
from pipeline.config_values import SecretNames
from pipeline.errors import SettingsError
from pipeline.metrics import SETTINGS_RELOAD_REFUSED
from pipeline.settings_changes import Change, changes

log = logging.getLogger(__name__)

#: What came of the last reload of `pipeline up`; it lies beside the settings file of its processes.
OUTCOME = "reload.json"


class CannotTakeOverError(SettingsError):
    """The new settings cannot be taken over by what runs."""


def checked(old: Settings, path: Path, environ: Mapping[str, str], secrets: SecretNames) -> Settings:
    """The settings as the file has them now.

    Args:
        old: those that are in use.
        path: the file.
        environ: the environment.
        secrets: those that are needed.

    Raises:
        SettingsError: they cannot be used.
        CannotTakeOverError: they can, but not by what runs; or a store or account cannot be used that is now.
    """
    new = config.load(path, environ, secrets=secrets, isolate=True)
    found = refusals(old, new)
    if found:
        raise CannotTakeOverError(
            "the new settings are not taken over, all goes on with those before:\n  " + "\n  ".join(found),
            hint="correct these and reload again; `pipeline validate --against running` shows the changes",
        )
    return new


def refusals(old: Settings, new: Settings) -> list[str]:
    """Why what runs cannot take new settings over, a line for each reason."""
    found = [f"{change.place}: {change.refusal}" for change in changes(old, new) if change.refusal]
    for place, refused in new.refused.items():
        if place not in old.refused:
            found += refused.complaints
    gone = old.stores.keys() - new.stores.keys() - set(new.refused_stores) - new.translate.retired_stores
    found += [
        f"stores.{name}: it is gone, and those of its events that are under way would hold up others: name "
        "it in translate.retired_stores as well"
        for name in sorted(gone)
    ]
    return found


class Reload:
    """Watches for SIGHUP in a process of its own; `begin_again` is called once it has ended in order.

    Args:
        path: of the settings file.
        settings: in use.
        secrets: that the process reads.
    """

    def __init__(self, path: Path, settings: Settings, secrets: SecretNames) -> None:
        self._path = path
        self._settings = settings
        self._secrets = secrets
        self._wanted = False

    def watch(self) -> None:
        """From now on SIGHUP does not end the process."""
        signal.signal(signal.SIGHUP, lambda *_: self._asked())
        if self._path.parent == self._settings.data_dir.absolute() / "up":
            # `up` takes its own over and has no HTTP side: its processes say whether it refused some.
            outcome = self._path.with_name(OUTCOME)
            SETTINGS_RELOAD_REFUSED.set_function(lambda: float(_was_refused(outcome)))

    def _asked(self) -> None:
        try:
            new = checked(self._settings, self._path, os.environ, self._secrets)
        except SettingsError as error:
            say_refused(error)
            return
        found = changes(self._settings, new)
        say(found)
        if not found:
            return
        self._wanted = True
        listening.hand_on()
        os.kill(os.getpid(), signal.SIGTERM)

    def begin_again(self) -> None:
        """Run this command anew in this process, if other settings are the reason for its end."""
        if self._wanted:
            logging.shutdown()
            os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the command that runs


def _was_refused(outcome: Path) -> bool:
    """Whether the last reload of `pipeline up` was refused; no file: there was none since its start."""
    try:
        told = json.loads(outcome.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and told.get("outcome") == "refused"


def say_refused(error: SettingsError) -> None:
    """Log why new settings are not taken over."""
    SETTINGS_RELOAD_REFUSED.set(1)
    log.error("%s", error, extra={"event": "settings.reload_refused"})


def say(found: list[Change]) -> None:
    """Log what is taken over; values are not shown."""
    SETTINGS_RELOAD_REFUSED.set(0)
    if not found:
        log.info("the settings are as they were", extra={"event": "settings.unchanged"})
        return
    told = ", ".join(change.place for change in found[:20])
    log.info("%d settings are others now: %s", len(found), told, extra={"event": "settings.reload"})
