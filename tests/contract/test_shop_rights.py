"""Whether a shop's credentials let the check in: each right is used once, and the one that lacks is named."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from pipeline.check.store.access import shop as rights
from pipeline.check.store.result import Outcome
from tests.checked_shops import ACCESS, Shop, shop

#: Whose rights are told by trying them.
TRIED = [name for name in ACCESS if name != "shopify"]


async def opened(site: Shop) -> list[tuple[str, bool]]:
    """Let the shop answer to every question; the paths, and whether each is needed."""
    examination = site.check.platform.examination
    assert examination is not None
    asked = [(one.request.path, one.needed) for one in examination.questions(site.check.store)]
    for path, _ in asked:
        await site.holds(unquote(path), {"items": []} if site.platform == "generic" else [])
    return asked


@pytest.mark.parametrize("platform", TRIED)
async def test_all_rights_are_used_once_and_nothing_is_written(platform: str) -> None:
    async with shop(platform) as site:
        asked = await opened(site)
        [step] = await rights(site.check)
        assert step.outcome is Outcome.OK
        log = (await site.control("GET", ""))["log"]
        assert [one["method"] for one in log] == ["GET"] * len(asked)


@pytest.mark.parametrize("platform", TRIED)
async def test_a_right_that_is_missing_is_named_and_no_other(platform: str) -> None:
    async with shop(platform) as site:
        asked = await opened(site)
        for path, needed in asked:
            await site.control("DELETE", "/faults")
            await site.control("POST", "/faults", {"kind": "unauthorised", "path": path})
            [step] = await rights(site.check)
            assert step.outcome is (Outcome.FAULT if needed else Outcome.WARNING)
            assert "401" in step.said


@pytest.mark.parametrize("platform", ACCESS)
async def test_a_shop_that_is_down_is_asked_once(platform: str) -> None:
    async with shop(platform) as site:
        await site.control("POST", "/faults", {"kind": "html"})
        [step] = await rights(site.check)
        assert step.outcome is Outcome.FAULT
        assert "maintenance page" in step.todo
