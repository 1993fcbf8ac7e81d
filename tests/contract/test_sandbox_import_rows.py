"""Rows of imports: the rules of each type, the options, the error report."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.connectif_sandbox import DOMAIN, EMAIL, PRODUCT, Api, running

PRODUCT_HEADER = "productDetailUrl,productId,name,unitPrice"


async def _errors(api: Api, finished: dict[str, Any]) -> list[str]:
    rows = csv.DictReader(io.StringIO(await api.report(finished)))
    return [row["error"] for row in rows]


async def _contact(api: Api, email: str = EMAIL) -> dict[str, Any]:
    return dict((await api.get(f"/contacts/email/{email}")).json())


async def test_row_errors_do_not_fail_the_import_and_are_reported_without_the_key() -> None:
    async with running() as api:
        finished = await api.imported(
            f"_email,_points\n{EMAIL},5\nno address,5\nb@mail.example,0\nc@mail.example\n"
        )
        assert finished["status"] == "finished"
        assert (finished["total"], finished["success"], finished["errors"]) == (4, 1, 3)
        assert await api.report(finished) == (
            "row,error,_email,_points\r\n"
            "3,_email is not valid,no address,5\r\n"
            "4,_points is not valid,b@mail.example,0\r\n"
            "5,1 cells instead of 2,c@mail.example\r\n"
        )


@pytest.mark.parametrize(
    ("columns", "report"),
    [
        ("row", "row,error\r\n2,_email is not valid\r\n"),
        ("cells", '_email,_name,error\r\nx,"A, B",_email is not valid\r\n'),
    ],
)
async def test_the_reports_columns_are_a_switch(columns: str, report: str) -> None:
    async with running(error_report=columns) as api:
        assert await api.report(await api.imported('_email,_name\nx,"A, B"\n')) == report


async def test_the_reports_link_is_new_at_each_get_expires_and_cannot_be_forged() -> None:
    async with running() as api:
        finished = await api.imported("_email\nx\n")
        link = finished["errorReportFileUrl"]
        again = (await api.get(f"/imports/{finished['id']}")).json()["errorReportFileUrl"]
        assert link != again
        assert (await api.client.get(link.replace("expires=1", "expires=2"))).status_code == 403
        await api.clock.advance(100 * 60 - 1)
        assert (await api.client.get(again)).status_code == 200
        await api.clock.advance(1)
        expired = await api.client.get(link)
        assert expired.status_code == 403
        assert "json" not in expired.headers["content-type"]


async def test_the_report_can_ask_for_the_key() -> None:
    async with running(file_needs_key=True) as api:
        link = (await api.imported("_email\nx\n"))["errorReportFileUrl"]
        assert (await api.client.get(link)).status_code == 401
        assert (await api.get(link)).status_code == 200


async def test_reports_and_files_are_no_calls_of_the_api() -> None:
    async with running() as api:
        finished = await api.imported("_email\nx\n")
        before = (await api.stats())["calls_total"]
        await api.report(finished)
        assert (await api.stats())["calls_total"] == before


async def test_columns_that_are_no_fields_are_not_imported() -> None:
    async with running() as api:
        finished = await api.imported(f"_email,_name,shoe_size\n{EMAIL},Ana,38\n")
        assert finished["success"] == 1
        assert "shoe_size" not in await _contact(api)


async def test_custom_fields_are_imported_by_their_types() -> None:
    async with running() as api:
        options = [{"id": "red", "label": "Red"}, {"id": "blue", "label": "Blue"}]
        for definition in (
            {"id": "shoe_size", "type": "integer"},
            {"id": "colours", "type": "checkbox", "options": options},
            {"id": "weight", "type": "decimal"},
            {"id": "since", "type": "date"},
            {"id": "club", "type": "boolean"},
            {"id": "favourite", "type": "radio", "options": options},
        ):
            await api.post("/contact-fields/", definition)
        header = "_email,shoe_size,colours,weight,since,club,favourite"
        finished = await api.imported(
            f"{header}\n"
            f"{EMAIL},38,red|blue,60.5,2020-02-29,true,red\n"
            "b@mail.example,38,red|green,60.5,2020-02-29,true,red\n"
            "c@mail.example,38,red,60.5,29/02/2020,true,red\n"
            "d@mail.example,38,red,60.5,2020-02-29,yes,red\n"
            'e@mail.example,38,red,"60,5",2020-02-29,true,red\n'
            "f@mail.example,38,red,60.5,2020-02-29,true,green\n"
        )
        assert (finished["success"], finished["errors"]) == (1, 5)
        contact = await _contact(api)
        assert contact["colours"] == ["red", "blue"]
        assert (contact["shoe_size"], contact["weight"], contact["club"]) == (38, 60.5, True)


@pytest.mark.parametrize(
    ("column", "empty_error"),
    [
        ("_mobilePhone", True),
        ("_birthdate", True),
        ("_points", True),
        ("_name", False),
        ("_newsletterSubscriptionStatus", False),
    ],
)
async def test_a_typed_cell_may_not_be_empty(column: str, empty_error: bool) -> None:
    async with running() as api:
        finished = await api.imported(f"_email,{column}\n{EMAIL},\n")
        assert finished["errors"] == int(empty_error)
        await api.switch(empty_typed_cell="skip")
        assert (await api.imported(f"_email,{column}\n{EMAIL},\n"))["errors"] == 0


@pytest.mark.parametrize(
    ("cell", "stored"),
    [
        ("+34600111222", "+34600111222"),
        ("600111222", "+34600111222"),
        ("600 111 222", None),
        ("+34 600111222", None),
        ("phone", None),
    ],
)
async def test_a_phone_gets_the_stores_prefix_and_has_no_spaces(cell: str, stored: str | None) -> None:
    async with running() as api:
        finished = await api.imported(f"_email,_mobilePhone\n{EMAIL},{cell}\n")
        assert finished["success"] == int(stored is not None)
        if stored is not None:
            assert (await _contact(api))["_mobilePhone"] == stored


@pytest.mark.parametrize(
    ("column", "cell", "good"),
    [
        ("_points", "7", True),
        ("_points", "0", False),
        ("_points", "07", False),
        ("_birthdate", "1990-05-01", True),
        ("_birthdate", "1990-05-01T00:00:00Z", False),
        ("_birthdate", "1990-02-30", False),
        ("_newsletterSubscriptionStatus", "subscribed", True),
        ("_newsletterSubscriptionStatus", "Subscribed", False),
        ("_emailStatus", "banned", True),
    ],
)
async def test_cells_of_contacts_follow_the_rules_of_their_types(column: str, cell: str, good: bool) -> None:
    async with running() as api:
        assert (await api.imported(f"_email,{column}\n{EMAIL},{cell}\n"))["success"] == int(good)


async def test_with_both_keys_the_external_id_wins() -> None:
    async with running() as api:
        await api.patch("/contacts/external-id/ext-7", {"_name": "Ana"})
        finished = await api.imported(f"_externalId,_email,_surname\next-7,{EMAIL},Ruiz\n")
        assert finished["success"] == 1
        contact = await _contact(api)
        assert (contact["_externalId"], contact["_name"], contact["_surname"]) == ("ext-7", "Ana", "Ruiz")
        finished = await api.imported(f"_externalId,_email\next-8,{EMAIL}\n")
        assert await _errors(api, finished) == ["_email belongs to another contact"]


async def test_semicolons_quotes_and_a_byte_order_mark_are_understood() -> None:
    async with running() as api:
        finished = await api.imported(f'\ufeff_email;_name\r\n{EMAIL};"Ana; ""la"" Ruiz"\r\n', delimiter=";")
        assert finished["success"] == 1
        assert (await _contact(api))["_name"] == 'Ana; "la" Ruiz'


@pytest.mark.parametrize(
    ("counted", "success", "errors"), [("success", 1, 0), ("error", 0, 1), ("neither", 0, 0)]
)
async def test_without_override_rows_that_exist_are_left_alone(
    counted: str, success: int, errors: int
) -> None:
    async with running(skipped_rows=counted) as api:
        await api.patch(f"/contacts/email/{EMAIL}", {"_name": "Ana"})
        finished = await api.imported(f"_email,_name\n{EMAIL},Eva\n", overrideExisting="false")
        assert (finished["success"], finished["errors"]) == (success, errors)
        assert (await _contact(api))["_name"] == "Ana"


async def test_with_override_given_columns_replace_and_others_stay() -> None:
    async with running() as api:
        await api.patch(f"/contacts/email/{EMAIL}", {"_name": "Ana", "_surname": "Ruiz"})
        await api.imported(f"_email,_name\n{EMAIL},Eva\n")
        contact = await _contact(api)
        assert (contact["_name"], contact["_surname"]) == ("Eva", "Ruiz")


async def test_only_empty_fields_are_filled_when_told_so() -> None:
    async with running() as api:
        await api.patch(f"/contacts/email/{EMAIL}", {"_name": "Ana"})
        await api.imported(f"_email,_name,_surname\n{EMAIL},Eva,Ruiz\n", updateOnlyEmptyFields="true")
        contact = await _contact(api)
        assert (contact["_name"], contact["_surname"]) == ("Ana", "Ruiz")


@pytest.mark.parametrize(("empty", "name"), [("keep", "Ana"), ("clear", None)])
async def test_an_empty_text_cell_keeps_or_clears(empty: str, name: str | None) -> None:
    async with running(import_empty_cell=empty) as api:
        await api.patch(f"/contacts/email/{EMAIL}", {"_name": "Ana"})
        await api.imported(f"_email,_name\n{EMAIL},\n")
        assert (await _contact(api)).get("_name") == name


async def test_imported_contacts_consume_activities_by_a_switch() -> None:
    async with running() as api:
        await api.imported(f"_email\n{EMAIL}\n")
        await api.switch(charge_imported_contacts=False)
        await api.imported("_email\nb@mail.example\n")
        assert (await api.stats())["activities"] == {"entity-created": 1}


async def test_products_are_imported_with_lists_booleans_and_numbers() -> None:
    async with running() as api:
        finished = await api.imported(
            f"{PRODUCT_HEADER},categories,tags,isBlacklisted,rating,availability,inStockUnits,brand\n"
            f"{DOMAIN}/cup,p1,Cup,10.50,Home/Kitchen|Gifts,,true,4.5,outofstock,0,\n",
            "products",
        )
        assert finished["success"] == 1
        product = (await api.get("/products/product-id/p1")).json()
        assert product["unitPrice"] == 10.5
        assert product["categories"] == ["Home/Kitchen", "Gifts"]
        assert (product["isBlacklisted"], product["rating"], product["inStockUnits"]) == (True, 4.5, 0)
        assert product["availability"] == "outofstock"
        assert "brand" not in product


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"{DOMAIN}/cup,,Cup,1", "productId is empty"),
        (f"{DOMAIN}/cup,p1,,1", "name is empty"),
        (",p1,Cup,1", "productDetailUrl is empty"),
        (f"{DOMAIN}/cup,p1,Cup,", "unitPrice is empty"),
        (f"{DOMAIN}/cup,p1,Cup,ten", "unitPrice is not valid"),
        (f'{DOMAIN}/cup,p1,Cup,"1,5"', "unitPrice is not valid"),
        ("/cup,p1,Cup,1", "productDetailUrl is not valid"),
        ("https://elsewhere.example/cup,p1,Cup,1", "productDetailUrl is not on an authorised domain"),
    ],
)
async def test_a_product_row_that_breaks_a_rule_is_reported(row: str, reason: str) -> None:
    async with running() as api:
        finished = await api.imported(f"{PRODUCT_HEADER}\n{row}\n", "products")
        assert await _errors(api, finished) == [reason]


async def test_the_domain_rule_for_rows_is_a_switch() -> None:
    async with running(import_checks_domains=False) as api:
        row = "https://elsewhere.example/cup,p1,Cup,1"
        assert (await api.imported(f"{PRODUCT_HEADER}\n{row}\n", "products"))["success"] == 1


async def test_an_imported_product_keeps_what_the_file_does_not_name() -> None:
    async with running() as api:
        await api.patch("/products/product-id/p1", {**PRODUCT, "brand": "Acme", "priority": 3})
        await api.imported(f"{PRODUCT_HEADER}\n{DOMAIN}/cup,p1,Mug,12\n", "products")
        product = (await api.get("/products/product-id/p1")).json()
        assert (product["name"], product["unitPrice"], product["brand"]) == ("Mug", 12, "Acme")


async def test_coupons_go_into_their_set_and_duplicates_are_errors_by_a_switch() -> None:
    async with running() as api:
        made = await api.control("POST", "coupon-sets", {"account": "acme-es", "codes": ["A"]})
        finished = await api.imported("code\nA\nB\nC\n\n", "coupons", couponSetId=made["id"])
        assert (finished["success"], finished["errors"]) == (2, 1)
        assert finished["options"]["couponSetId"] == made["id"]
        shown = (await api.get(f"/coupon-sets/{made['id']}")).json()
        assert (shown["quantity"], shown["available"]) == (3, 3)
        await api.switch(duplicate_coupon="success")
        assert (await api.imported("code\nA\n", "coupons", couponSetId=made["id"]))["success"] == 1
        assert (await api.stats())["counts"]["coupons"] == 3
