"""A simulated shop of each platform lists the rows it was given, until it is told that they are gone."""

from __future__ import annotations

import json

import pytest

from pipeline.events import Kind
from pipeline.sandbox.shops.lists import ListSettings
from pipeline.sandbox.shops.shop import ShopSettings, SimulatedShop
from pipeline.shops.pull import PullAnswer, PullPass
from pipeline.shops.registry import PLATFORMS
from tests.platforms import settings_of
from tests.proof.platforms import PROVED, kind_of
from tests.proof.truth import Deed, Told
from tests.pulling import pull_of, scope
from tests.shop_bodies import CHANGED, NOW_MS, Article, Person, Sale

NOW = NOW_MS / 1_000


def listed(shop: SimulatedShop, platform: str, kind: Kind) -> set[str]:
    """Ids on the first page of a list."""
    pull, settings = pull_of(PLATFORMS[platform]), settings_of(platform)
    what = scope(kind, PullPass.FULL, until=int(CHANGED.timestamp() + 86_400) * 1_000)
    request = pull.first(settings, what)
    answer = shop.listed(request.method, request.path, request.headers, request.body, NOW)
    assert answer is not None
    assert answer.headers["date"] == "Fri, 15 Jan 2027 08:00:00 GMT"
    headers = {name.lower(): value for name, value in answer.headers.items()}
    said = PullAnswer(json.loads(json.dumps(answer.body)), headers)
    return {row.entity for row in pull.read(settings, what, request, said).rows}


@pytest.mark.parametrize("platform", PROVED)
@pytest.mark.parametrize("told", [Sale(), Person(), Article()], ids=lambda told: type(told).__name__)
def test_rows_are_listed_until_they_are_gone(platform: str, told: Told) -> None:
    proved, kind = PROVED[platform], kind_of(told)
    shop = SimulatedShop(ShopSettings(lists=ListSettings(platform=platform, **proved.lists)))
    deeds: tuple[Deed, ...] = ("made", "changed")
    for deed in deeds:
        for held in proved.held(proved, told, deed):
            assert held.row is not None
            shop.hold_rows(held.list, [held.row])
    assert listed(shop, platform, kind) == {told.id}
    [held] = proved.held(proved, told, "made")
    shop.hold_rows(held.list, [], [held.id])
    assert listed(shop, platform, kind) == set()
