"""Where readers of events begin: what only the archive needs is loaded where the settings have one."""

from __future__ import annotations

from pipeline.config import Settings
from pipeline.errors import PipelineError, SettingsError
from pipeline.extras import require
from pipeline.kafka.reader import RangeReader
from pipeline.kafka.settings import client_config


def require_archive(settings: Settings) -> None:
    """Check that there is an archive in the settings, and what it needs.

    Raises:
        SettingsError: there is not.
    """
    if settings.archive.url is None:
        raise SettingsError(
            "there is no archive in the settings", field="archive.url", hint="docs/retention.md says how"
        )
    try:
        require("archive", "pyarrow", "fsspec", by="the archive")
    except PipelineError as error:  # starting again changes nothing
        raise SettingsError(error.message, field="archive.url", hint=error.hint) from error


def event_reader(settings: Settings, *, group: str | None = None) -> RangeReader:
    """The reader of ranges for these settings; with the archive, where they have one.

    Args:
        settings: the program's.
        group: see `RangeReader`.

    Raises:
        BrokerError: the client refuses its settings.
        PipelineError: the archive cannot be used.
    """
    config = client_config(settings)
    if settings.archive.url is None:
        return RangeReader(config, group=group)
    require_archive(settings)
    from pipeline.archive.files import Archive  # noqa: PLC0415 - of an extra
    from pipeline.archive.reader import ArchivedRangeReader  # noqa: PLC0415

    return ArchivedRangeReader(config, Archive(settings), group=group)


__all__ = ["event_reader", "require_archive"]
