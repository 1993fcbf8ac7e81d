"""What the page does for whoever has the token: dead letters once more, and an entity's events once more."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.config import Settings
from pipeline.config_checks import require_store
from pipeline.console import Console
from pipeline.dead.acting import Redrive, alone
from pipeline.dead.groups import LetterGroup, LetterGroups
from pipeline.dead.resend import ResendTarget
from pipeline.dead.selection import LetterFilter, Selection
from pipeline.dead.state import LetterState
from pipeline.dead.store import DeadLetterReader
from pipeline.events import Kind
from pipeline.kafka import topic_check
from pipeline.replay import operate, planning
from pipeline.replay.selection import Choice

log = logging.getLogger(__name__)

#: Who is written down as the one who acted.
BY = "status page"


def open_letters(settings: Settings, stop: Callable[[], bool]) -> list[LetterGroup]:
    """The dead letters that nothing was done about, by account and reason, the most first.

    Raises:
        BrokerError: Kafka does not answer.
        Stopped: `stop` said so.
    """
    counted = LetterGroups()
    with DeadLetterReader(settings, Console(quiet=True), stop=stop) as reader:
        reader.read_states()
        for found in reader.letters(Selection()):
            if found.status.state is LetterState.OPEN:
                counted.add(found.letter, found.status)
    return counted.rows()


def redrive(
    settings: Settings, chosen: Selection, *, really: bool, stop: Callable[[], bool]
) -> dict[str, Any]:
    """Send dead letters again, or only count what would be sent.

    Args:
        settings: the program's.
        chosen: which letters; of them those that nothing was done about.
        really: send them.
        stop: whether to stop counting; what is being sent is sent.

    Returns:
        the counts, as `pipeline dead redrive --json` gives them.

    Raises:
        PipelineError: another redrive is at work, or Kafka does not take a message.
        Stopped: `stop` said so.
    """
    topic_check.verify(settings)
    quiet = Console(quiet=True)
    until = None if really else stop
    with alone(settings, BY) as turn, DeadLetterReader(settings, quiet, stop=until) as reader:
        reader.read_states(required=True)
        target = ResendTarget.of(settings)
        action = Redrive(settings, reader, target, chosen, turn, again=False, by=BY, wanted=LetterFilter.OPEN)
        tally = action.run() if really else action.count()
    if really:
        log.info(
            "the status page sent %d dead letters again: account %s, stage %s, reason %s",
            tally.count,
            chosen.account or "any",
            chosen.stage or "any",
            chosen.reason or "any",
            extra={"event": "status.redrive"},
        )
    return tally.tree()


def replay(settings: Settings, config_path: Path, store: str, kind: Kind, entity: str) -> str:
    """Begin a replay of the events of one entity, in a process of its own; returns its id.

    Raises:
        SettingsError: there is no such store.
        PipelineError: there are no events of it, or the process cannot be started.
    """
    require_store(settings, store)
    choice = Choice(stores=frozenset({store}), kinds=frozenset({kind}), ids=frozenset({entity}))
    name = operate.start(settings, planning.Request(choice), None, Console(quiet=True))
    operate.detach(settings, name, config_path)
    log.info("the status page began the replay %s", name, extra={"event": "status.replay"})
    return name
