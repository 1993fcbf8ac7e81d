"""Errors a person reads: what is wrong, where, and what to do next."""

from __future__ import annotations


class PipelineError(Exception):
    """Base of every error this program raises on purpose.

    Args:
        message: what is wrong, in one sentence, without personal data or secrets.
        hint: what to do next.
        store: the store or account it concerns, if one.
        field: the setting or body field it concerns, if one.
    """

    #: The exit code of the `pipeline` command when this error ends it.
    exit_code = 1

    def __init__(
        self, message: str, *, hint: str = "", store: str | None = None, field: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.store = store
        self.field = field

    def __str__(self) -> str:
        where = " / ".join(part for part in (self.store, self.field) if part)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text}\n  -> {self.hint}" if self.hint else text


class SettingsError(PipelineError):
    """The settings cannot be used as they are."""

    exit_code = 2


class BrokerError(PipelineError):
    """Kafka cannot be started, reached, or trusted with the data."""

    exit_code = 3


class NameTakenError(PipelineError):
    """Another worker of this stage runs under the same name: this one must not, nor start again."""

    exit_code = 4
