"""What a platform's pages tell Connectif's web client, as Connectif's own module for it writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WebTracking:
    """A platform's pages.

    Attributes:
        purchase_id: what the module sends as the purchase's id, in the word of the setting; "" where it is
            not known.
        said: the same in words.
        id_forms: forms of ids that tell what they are of, by the word of the setting `purchase_id`.
        lines: what is to be known of the product ids in a purchase's lines; "" for nothing.
        marks: what a page of the platform has in it, where its JavaScript makes the page; None where it does
            not.
    """

    purchase_id: str = ""
    said: str = ""
    id_forms: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    lines: str = ""
    marks: re.Pattern[str] | None = None
