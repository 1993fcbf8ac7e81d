"""What every table of the settings file has in common."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

#: A greater number is a typing error, or means "without end"; no setting has a use for that.
LARGEST = 1e12
MOST_SECONDS = 1e8


class Section(BaseModel):
    """A table of the settings file: unknown keys are errors, so a typing error is found at the start."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _numbers_are_of_this_world(self) -> Self:
        for name, value in self:
            most = MOST_SECONDS if isinstance(value, float) else LARGEST
            if isinstance(value, int | float) and abs(value) > most:
                raise ValueError(f"{name} must be at most {most:g}")
        return self
