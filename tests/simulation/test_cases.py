"""Every case of tests/cases, from the signed body to what Connectif holds, in two orders of delivery."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.records import Record
from tests.simulation import virtual
from tests.simulation.case_shop import ACCOUNT, CaseShop, settings_of
from tests.simulation.cases import FOLDER, Case, Expected, differences, folders, read, unlike
from tests.simulation.environment import Environment, Life

README = Path(__file__).parent.parent.parent / "README.md"
#: Connectif got what it holds before the first event this long before it.
BEFORE = 365 * 86_400.0
SETTLED_WITHIN = 1_800.0


def _plays() -> Iterator[object]:
    """Every case in every variant."""
    for folder in folders():
        for variant in ("one-by-one", "together"):
            name = f"{folder.parent.name}/{folder.name}-{variant}"
            yield pytest.param(folder, variant == "together", id=name)


@pytest.mark.parametrize(("folder", "together"), list(_plays()))
def test_a_case_comes_out_as_it_must(folder: Path, together: bool, tmp_path: Path) -> None:
    case = read(folder)
    wrong = list(_wrong(case.expected, _play(case, tmp_path, together=together)))
    assert not wrong, "\n".join(wrong)


class End(NamedTuple):
    """What Connectif holds at the end of a case, by kind and key, and the shop with all it was answered."""

    held: dict[str, dict[str, dict[str, Any]]]
    shop: CaseShop


def _play(case: Case, directory: Path, *, together: bool = False) -> End:
    """Play a case on virtual time, which begins a minute before its first event."""
    epoch = case.events[0].received.timestamp() - 60
    return virtual.run(_played(case, directory, together=together), epoch=epoch)


async def _played(case: Case, directory: Path, *, together: bool) -> End:
    """Let the events come and be delivered.

    Args:
        case: the case.
        directory: for the workers' files.
        together: whether nothing is delivered before the last event has arrived.
    """
    environment = Environment(settings_of(case, directory))
    _hold(environment, case)
    life = Life(environment, "w1")
    await life.start()
    shop = CaseShop(case, environment.settings)
    waiting: list[Record] = []
    for event in case.events:
        await asyncio.sleep(max(0.0, event.received.timestamp() - virtual.wall()))
        waiting += shop.sends(event)
        if not together or event is case.events[-1]:
            for record in waiting:
                environment.say(record)
            waiting.clear()
            await environment.settle(life, within=SETTLED_WITHIN)
    environment.limit_kept()
    await life.stop()
    return End({kind: environment.holds(kind) for kind in ("contacts", "products", "purchases")}, shop)


def _hold(environment: Environment, case: Case) -> None:
    """Let Connectif hold what it held before."""
    account, at = environment.sandbox.accounts[ACCOUNT], virtual.wall() - BEFORE
    for email, fields in case.given.connectif.contacts.items():
        account.data.contacts.patch("email", email, fields, at, environment.sandbox.simulation.behaviour)
    for product_id, fields in case.given.connectif.products.items():
        account.data.products.patch(product_id, fields, at)


def _wrong(expected: Expected, end: End) -> Iterator[str]:
    """What is not as it must be."""
    shop, purchases = end.shop, end.held["purchases"]
    if expected.purchases is not None:
        yield from (f"purchase {key} exists" for key in purchases if key not in expected.purchases)
        yield from differences(dict(expected.purchases), purchases, "purchase")
    yield from differences(expected.contacts, end.held["contacts"], "contact")
    yield from differences(expected.products, end.held["products"], "product")
    for purchase_id, lines in expected.lines.items():
        held = {line["productId"]: line for line in purchases.get(purchase_id, {}).get("products", ())}
        yield from (f"purchase {purchase_id} has a line of {key}" for key in held if key not in lines)
        yield from differences(dict(lines), held, f"purchase {purchase_id}, line")
    if expected.line_names is not None:
        names = sorted(line["name"] for one in purchases.values() for line in one["products"])
        if names != sorted(expected.line_names):
            yield f"the lines are {names}"
    if expected.uses is not None:
        uses = [(use.code, use.used) for use in shop.uses]
        if uses != expected.uses:
            yield f"the uses of codes are {uses}"
    if expected.outcomes is not None:
        outcomes = [result.outcome.value if result else None for result in shop.results]
        yield from unlike(expected.outcomes, outcomes, "the outcome")
    if expected.answers is not None:
        yield from unlike(expected.answers, shop.answers, "the answer")
    step = _step_three().lower()
    yield from (f"README's step 3 does not name {name}" for name in expected.readme_names if name not in step)


def _step_three() -> str:
    """What the README says of setting up webhooks, in one line."""
    text = README.read_text(encoding="utf-8")
    found = re.search(r"^3\. \*\*Webhooks.*?(?=^4\. )", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    return " ".join(found.group().split())


@pytest.mark.parametrize(
    ("case", "purchase_id"),
    [("woocommerce/order-renumbered", "2023-15"), ("shopify/renamed-order", "#ES1001")],
)
def test_the_workflows_of_an_order_that_was_sent_do_not_run_again_under_its_new_id(
    case: str, purchase_id: str, tmp_path: Path
) -> None:
    end = _play(read(FOLDER / case), tmp_path)
    assert end.held["purchases"][purchase_id]["triggerPurchaseEvent"] is False


def test_there_are_cases_of_every_platform() -> None:
    assert {folder.parent.name for folder in folders()} >= {"shopify", "woocommerce"}


@pytest.mark.parametrize("file", ["events.json", "settings.json", "expected.md"])
def test_a_key_that_nobody_knows_is_an_error(file: str, tmp_path: Path) -> None:
    folder = tmp_path / "shopify" / "odd"
    folder.mkdir(parents=True)
    texts = {
        "events.json": '[{"topic": "orders/paid", "received": "2023-11-14T22:14:20Z", "body": {}%s}]',
        "settings.json": '{"store": {}%s}',
        "expected.md": '# Odd\n\n```json\n{"purchases": {}%s}\n```\n',
    }
    for name, text in texts.items():
        odd = ', "colour": "blue"' if name == file else ""
        (folder / name).write_text(text % odd, encoding="utf-8")
    with pytest.raises(ValueError, match="colour"):
        read(folder)
