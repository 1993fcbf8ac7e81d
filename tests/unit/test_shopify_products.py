"""Each rule of Shopify products, on the smallest change of a published one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pipeline.records import Op, Product
from pipeline.shops.base import Rejected
from tests.shopify import RECEIVED, hide, products_of, store, translate


def variant(**changes: Any) -> dict[str, Any]:
    return {
        "id": 770,
        "title": "M",
        "price": "20.00",
        "compare_at_price": None,
        "inventory_policy": "deny",
        "inventory_management": "shopify",
        "inventory_quantity": 5,
    } | changes


def product(*variants: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "id": 77,
        "title": "Shirt",
        "handle": "shirt",
        "status": "active",
        "published_at": "2024-01-01T00:00:00Z",
        "updated_at": "2024-05-06T10:00:00Z",
        "variants": list(variants) or [variant()],
    } | changes


def told(body: dict[str, Any], context: Any = None) -> Product:
    [found] = products_of(translate("products/update", body, context))
    return found


def notes(body: dict[str, Any], context: Any = None) -> tuple[str, ...]:
    return translate("products/update", body, context).drafts[0].notes


def refusal_of(body: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(Rejected) as refusal:
        translate("products/update", body)
    return refusal.value.reason, refusal.value.field


def test_the_lowest_price_is_sent_with_its_own_price_before() -> None:
    cheap = variant(price="15.00", compare_at_price="18.00")
    found = told(product(variant(compare_at_price="99.00"), cheap))
    assert (found.unit_price, found.unit_price_original) == (Decimal("15.00"), Decimal("18.00"))
    assert (found.discounted_amount, found.discounted_percentage) == (Decimal("3.00"), Decimal("16.67"))


@pytest.mark.parametrize("before", [None, "0.00", "20.00", "19.99"])
def test_an_ended_sale_leaves_no_discount_behind(before: str | None) -> None:
    found = told(product(variant(compare_at_price=before)))
    assert (found.unit_price_original, found.discounted_amount) == (found.unit_price, Decimal(0))


def test_a_product_without_a_price_is_not_created() -> None:
    for body in (product(variant(price=None)), product(variants=[])):
        translation = translate("products/create", body)
        assert (translation.drafts, translation.ignored) == ((), "no_price")


def test_a_price_that_is_no_amount_is_refused() -> None:
    assert refusal_of(product(variant(), variant(price="-1"))) == ("invalid_money", "variants.1.price")


@pytest.mark.parametrize(
    ("changes", "availability"),
    [
        ({}, "instock"),
        ({"inventory_quantity": 0}, "outofstock"),
        ({"inventory_quantity": -3}, "outofstock"),
        ({"inventory_quantity": 0, "inventory_policy": "continue"}, "instock"),
        ({"inventory_quantity": 0, "inventory_management": None}, "instock"),
        ({"inventory_quantity": None}, "instock"),
    ],
)
def test_a_variant_is_in_stock_untracked_on_back_order_or_with_stock(
    changes: dict[str, Any], availability: str
) -> None:
    assert told(product(variant(**changes))).availability == availability


def test_a_product_is_in_stock_where_one_variant_is() -> None:
    assert told(product(variant(inventory_quantity=0), variant(id=771))).availability == "instock"


def test_newer_bodies_do_not_say_whether_stock_is_tracked_and_that_is_noted() -> None:
    untold = variant(inventory_quantity=0)
    del untold["inventory_management"]
    assert told(product(untold)).availability == "outofstock"
    assert notes(product(untold)) == ("stock_tracking_unknown",)
    assert notes(product(variant(inventory_quantity=0))) == ()


def test_where_the_body_leaves_variants_out_it_does_not_end_the_stock() -> None:
    body = product(variant(inventory_quantity=0), variant_gids=[{}, {}])
    assert told(body).availability is None
    assert notes(body) == ("variants_cut",)
    assert told(product(variant(), variant_gids=[{}, {}])).availability == "instock"


def test_stock_counts_are_not_told_so_that_a_sale_costs_no_call() -> None:
    assert told(product(variant(inventory_quantity=5))) == told(product(variant(inventory_quantity=4)))


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "draft"},
        {"status": "Archived"},
        {"published_at": None},
    ],
)
def test_an_unpublished_product_is_hidden_not_created(changes: dict[str, Any]) -> None:
    translation = translate("products/update", product(**changes))
    assert (translation.drafts, translation.ignored) == ((hide("77"),), "unpublished")


def test_old_bodies_without_a_status_are_read_by_their_publication() -> None:
    assert told(product(status=None)).name == "Shirt"
    body = product(status=None)
    del body["published_at"]
    assert refusal_of(body) == ("missing_field", "status")


def test_a_deleted_product_is_hidden_or_deleted_by_the_settings() -> None:
    gone = translate("products/delete", {"id": 77})
    assert (gone.drafts, gone.ignored, gone.version) == ((hide("77"),), "deleted", RECEIVED)
    [deleted] = translate("products/delete", {"id": 77}, store(on_product_deleted="delete")).drafts
    assert (deleted.op, deleted.id, deleted.body) == (Op.RETRACT, "77", Product(product_id="77"))


def test_the_deletion_of_a_product_sent_by_variant_names_none() -> None:
    [draft] = translate("products/delete", {"id": 77}, store(product_id="variant")).drafts
    assert (draft.op, draft.id, draft.body, draft.if_emitted) == (Op.HIDE, None, None, True)


def test_variants_can_be_products_of_their_own() -> None:
    body = product(
        variant(image_id=2),
        variant(id=771, title="L", price="25.00", compare_at_price="30.00", inventory_quantity=0),
        image={"src": "https://cdn.example/1.png"},
        images=[{"id": 1, "src": "https://cdn.example/1.png"}, {"id": 2, "src": "https://cdn.example/2.png"}],
    )
    medium, large = products_of(translate("products/update", body, store(product_id="variant")))
    assert (medium.product_id, medium.name, medium.unit_price) == ("770", "Shirt - M", Decimal("20.00"))
    assert medium.url == "https://acme.example/products/shirt?variant=770"
    assert (medium.image_url, medium.availability) == ("https://cdn.example/2.png", "instock")
    assert (large.product_id, large.unit_price_original) == ("771", Decimal("30.00"))
    assert (large.image_url, large.availability) == ("https://cdn.example/1.png", "outofstock")


def test_the_only_variant_bears_the_products_name() -> None:
    assert told(product(variant(title="Default Title")), store(product_id="variant")).name == "Shirt"


def test_an_unpublished_product_hides_its_variants() -> None:
    body = product(variant(), variant(id=771), status="draft")
    assert translate("products/update", body, store(product_id="variant")).drafts == (
        hide("770"),
        hide("771"),
    )


def test_the_page_is_the_handles_on_the_stores_domain() -> None:
    assert told(product(handle="camisa-españa")).url == "https://acme.example/products/camisa-españa"


@pytest.mark.parametrize(("field", "told_as"), [("title", "name"), ("handle", "url")])
@pytest.mark.parametrize("value", [" ", None, {"en": "Shirt"}])
def test_a_product_without_name_or_page_is_changed_where_known_and_not_created(
    field: str, told_as: str, value: object
) -> None:
    [draft] = translate("products/update", product(**{field: value})).drafts
    assert isinstance(draft.body, Product)
    assert (draft.op, getattr(draft.body, told_as)) == (Op.PATCH, None)
    assert (draft.body.unit_price, draft.body.availability) == (Decimal("20.00"), "instock")
    assert f"{field}_missing" in draft.notes


def test_categories_are_the_taxonomy_and_the_type() -> None:
    body = product(category={"full_name": "Apparel > Clothing > Shirts"}, product_type="Tops")
    assert told(body).categories == ("Apparel/Clothing/Shirts", "Tops")
    assert told(product(category={"full_name": "Tops"}, product_type="Tops")).categories == ("Tops",)
    assert told(product(category=None, product_type="")).categories == ()


def test_tags_are_split_trimmed_and_sent_once() -> None:
    assert told(product(tags="new,  summer ,, new")).tags == ("new", "summer")
    assert told(product(tags=["new", 5, None, "new"])).tags == ("new", "5")


@pytest.mark.parametrize(
    ("pictures", "url", "note"),
    [
        ({"image": {"src": "https://cdn.example/a.png"}}, "https://cdn.example/a.png", ()),
        ({"image": None, "images": [{"src": "//cdn.example/b.png"}]}, "https://cdn.example/b.png", ()),
        ({"media": [{"preview_image": {"src": "http://cdn.example/c.png"}}]}, "http://cdn.example/c.png", ()),
        ({"image": {"src": "javascript:alert(1)"}}, None, ("image_invalid",)),
        ({"image": {"src": {}}, "images": "none"}, None, ("image_invalid",)),
        ({"image": "https://cdn.example/d.png"}, "https://cdn.example/d.png", ()),
        (
            {"image": 5, "images": [None, "//cdn.example/e.png"]},
            "https://cdn.example/e.png",
            ("image_invalid",),
        ),
    ],
)
def test_the_first_picture_with_an_address_is_sent(
    pictures: dict[str, Any], url: str | None, note: tuple[str, ...]
) -> None:
    assert told(product(**pictures)).image_url == url
    assert notes(product(**pictures)) == note


def test_the_description_is_sent_as_text() -> None:
    body = product(body_html="<p>Soft &amp; <b>warm</b></p><script>alert(1)</script><!-- x --> cotton")
    assert told(body).description == "Soft & warm cotton"
    assert notes(product(body_html="a" * 3_000)) == ("description_cut",)


def test_the_catalogue_lifts_what_a_stub_was_kept_out_of() -> None:
    assert told(product()).is_blacklisted is False


def test_a_publication_at_no_moment_is_dropped_and_noted() -> None:
    body = product(published_at="soon")
    assert told(body).published_at is None
    assert notes(body) == ("published_at_invalid",)


def test_a_variants_own_event_waits_for_the_products() -> None:
    translation = translate("variants/out_of_stock", {"id": 770, "product_id": 77})
    assert (translation.drafts, translation.ignored) == ((), "product_event_follows")
