"""Which webhooks a merchant is asked to make in the shop, in the words of the shop's own menu.

What a set-up does not ask for never comes, however well it is understood: the README's set-up, the example of
the settings and docs/decisions.md are held to these lists by a test.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """One webhook.

    Attributes:
        topic: as it stands in the delivery's header.
        menu: what the shop's menu calls it.
        setting: the only setting that needs it; "" where it is always needed.
    """

    topic: str
    menu: str
    setting: str = ""
