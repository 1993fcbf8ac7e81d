"""A shop of each platform as it should be, with its store: for tests of the check."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from pipeline import config
from pipeline.check.store.result import Outcome, StoreReport
from pipeline.check.store.run import check_stores
from tests.checked_shops import ACCESS, topics_of
from tests.connectif_sandbox import LINE
from tests.integration.operating import Site
from tests.local_http import http

DOMAIN = "https://acme.example"
SECRET, TOKEN = "the shop's own secret", "callback-token-of-the-test"
#: The one order that each shop has, its ids in the order of `purchase_id`, and its line's.
NUMBER, NAME, PRODUCT, VARIANT, SKU = "591234567", "REF1001", "801234567", "440123456", "MUG"
PLACED = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
BUYER = "buyer@mail.example"
_UTC = PLACED.strftime("%Y-%m-%d %H:%M:%S")
_BODY = dict[str, Any]


def _data(**said: Any) -> _BODY:
    return {"data": said}


def _shopify() -> _BODY:
    graphql = "/admin/api/2026-07/graphql.json"
    scopes = ("read_orders", "read_all_orders", "read_customers", "read_products")
    line = {"sku": SKU, "product": {"legacyResourceId": PRODUCT}, "variant": {"legacyResourceId": VARIANT}}
    order = {
        "legacyResourceId": NUMBER,
        "name": NAME,
        "number": 1001,
        "createdAt": PLACED.isoformat(),
        "test": False,
        "customAttributes": [],
        "lineItems": {"nodes": [line]},
    }
    return {
        f"{graphql}#Check": _data(
            shop={"primaryDomain": {"url": DOMAIN}, "currencyCode": "EUR"},
            currentAppInstallation={"accessScopes": [{"handle": scope} for scope in scopes]},
        ),
        f"{graphql}#Probe": _data(customers={"nodes": []}),
        f"{graphql}#Recent": _data(orders={"nodes": [order]}),
        f"{graphql}#Find": _data(customerByIdentifier=None),
    }


def _woocommerce() -> _BODY:
    base, one = "/wp-json/wc/v3", "?per_page=1&_fields=id"
    recent = "?per_page=5&status=processing,completed&_fields=id,number,date_created_gmt,line_items"
    line = {"product_id": int(PRODUCT), "variation_id": int(VARIANT), "sku": SKU}
    order = {
        "id": int(NUMBER),
        "number": NAME,
        "date_created_gmt": _UTC.replace(" ", "T"),
        "line_items": [line],
    }
    return {
        f"{base}/orders{one}": [{"id": 1}],
        f"{base}/products{one}": [{"id": 1}],
        f"{base}/system_status?_fields=environment,active_plugins,settings": {"active_plugins": []},
        f"{base}/orders{recent}": [order],
    }


def _prestashop() -> _BODY:
    form = "output_format=JSON"
    rows = [
        {
            "id": "1",
            "product_id": PRODUCT,
            "product_attribute_id": VARIANT,
            "product_reference": SKU,
            "product_quantity": "1",
            "product_name": "Mug",
            "unit_price_tax_incl": "21.00",
        }
    ]
    order = {
        "id": int(NUMBER),
        "reference": NAME,
        "id_shop": "1",
        "id_customer": "12",
        "id_currency": "1",
        "current_state": "2",
        "valid": "1",
        "date_add": _UTC,
        "date_upd": _UTC,
        "total_paid_tax_incl": "21.00",
        "total_discounts": "0.00",
        "associations": {"order_rows": rows},
    }
    resources = ("orders", "products", "addresses", "currencies", "stock_availables")
    return {
        **{f"/api/{one}?display=[id]&limit=1&{form}": {one: [{"id": 1}]} for one in resources},
        f"/api/orders?display=full&sort=[id_DESC]&limit=5&{form}": {"orders": [order]},
        f"/api/orders/{NUMBER}?{form}": {"order": order},
        f"/api/currencies/1?{form}": {"currency": {"id": 1, "iso_code": "EUR"}},
        f"/api/order_slip?filter[id_order]=[{NUMBER}]&display=full&{form}": [],
    }


def _magento() -> _BODY:
    base, one = "/rest/all/V1", "searchCriteria[pageSize]=1"
    line = {
        "item_id": 1,
        "product_id": int(PRODUCT),
        "sku": SKU,
        "name": "Mug",
        "product_type": "simple",
        "qty_ordered": 1,
        "row_total": 21,
        "row_total_incl_tax": 21,
        "tax_amount": 0,
        "discount_amount": 0,
    }
    order = {
        "entity_id": int(NUMBER),
        "increment_id": NAME,
        "state": "processing",
        "status": "processing",
        "created_at": _UTC,
        "updated_at": _UTC,
        "grand_total": 21,
        "base_currency_code": "EUR",
        "order_currency_code": "EUR",
        "customer_email": BUYER,
        "customer_is_guest": 1,
        "store_id": 1,
        "items": [line],
        "payment": {"method": "checkmo"},
    }
    latest = (
        "searchCriteria[pageSize]=5&searchCriteria[sortOrders][0][field]=entity_id"
        "&searchCriteria[sortOrders][0][direction]=DESC"
        "&fields=items[entity_id,increment_id,created_at,items[product_id,sku]]"
    )
    return {
        f"{base}/orders?{one}&fields=total_count": {"total_count": 1},
        f"{base}/products?{one}&fields=total_count": {"total_count": 1},
        f"{base}/modules?searchCriteria[pageSize]=1000": ["Magento_Store"],
        f"{base}/orders?{latest}": {"items": [order]},
        f"{base}/orders/{NUMBER}": order,
    }


def _vtex() -> _BODY:
    listed = {"orderId": NUMBER, "sequence": NAME, "creationDate": PLACED.isoformat()}
    line = {
        "uniqueId": "1",
        "id": VARIANT,
        "productId": PRODUCT,
        "refId": SKU,
        "name": "Mug",
        "quantity": 1,
        "price": 2100,
        "sellingPrice": 2100,
        "priceDefinition": {"total": 2100},
    }
    order = listed | {
        "status": "invoiced",
        "value": 2100,
        "lastChange": PLACED.isoformat(),
        "authorizedDate": PLACED.isoformat(),
        "items": [line],
        "clientProfileData": {"email": BUYER, "firstName": "Ana"},
        "storePreferencesData": {"currencyCode": "EUR"},
    }
    orders = "/api/oms/pvt/orders"
    return {
        f"{orders}?page=1&per_page=1": {"list": [listed]},
        "/api/catalog_system/pvt/products/GetProductAndSkuIds?_from=1&_to=1": {"data": {}},
        f"{orders}?orderBy=creationDate,desc&page=1&per_page=5": {"list": [listed]},
        f"{orders}/{NUMBER}": order,
    }


def _generic() -> _BODY:
    line = {"line_id": "1", "product_id": PRODUCT, "variant_id": VARIANT, "sku": SKU, "quantity": 1}
    order = {"id": NUMBER, "number": NAME, "created_at": PLACED.isoformat(), "line_items": [line]}
    empty: _BODY = {"items": [], "next_cursor": None}
    return {
        **{f"/{one}?limit=1": empty for one in ("orders", "customers", "products")},
        "/orders?updated_since=*": {"items": [order], "next_cursor": None},
    }


@dataclass(frozen=True)
class Shop:
    """One platform's shop.

    Attributes:
        name: of its store and account.
        platform: its platform.
        documents: what its API answers, by path and query.
        told: the id of its order under the store's settings, and under another setting with its name.
        product_setting: another value of `product_id` whose ids differ, where the API tells lines.
        own: more settings of the store.
    """

    name: str
    platform: str
    documents: Callable[[], _BODY]
    told: str = NUMBER
    other: tuple[str, str] = (NAME, "number")
    product_setting: str = "variant"
    own: Mapping[str, Any] = field(default_factory=dict)


SHOPS = {
    "shopify": Shop("sho", "shopify", _shopify, other=(NAME, "name")),
    "woocommerce": Shop(
        "woo-c",
        "woocommerce",
        _woocommerce,
        own={"consent_field": "mailchimp_woocommerce_is_subscribed", "api_requests_per_minute": 6_000},
    ),
    "prestashop": Shop(
        "pre",
        "prestashop",
        _prestashop,
        other=(NAME, "name"),
        own={"webservice_requests_per_minute": 6_000},
    ),
    "magento": Shop(
        "mag",
        "magento",
        _magento,
        told=NAME,
        other=(NUMBER, "id"),
        product_setting="sku",
        own={"secrets": [SECRET], "events_client_id": None},
    ),
    "vtex": Shop("vtx", "vtex", _vtex, own={"requests_per_minute": 6_000}),
    "generic": Shop("gen", "generic", _generic, own={"api_requests_per_minute": 6_000}),
}
#: The field of a store's settings with which its API is opened.
OPENED_BY = {
    "shopify": "access_token",
    "woocommerce": "consumer_secret",
    "prestashop": "webservice_key",
    "magento": "access_token",
    "vtex": "app_token",
    "generic": "api_token",
}


def stores(url: str) -> dict[str, Any]:
    """The settings of all, given the sandbox's address."""
    return {
        shop.name: {
            "platform": shop.platform,
            "domain": "acme.example",
            "secrets": [SECRET],
            "callback_tokens": [TOKEN],
            "api_url": f"{url}/_shops/{shop.name}",
            "sync": {"daily": False},
            **{
                name: value
                for name, value in {**ACCESS[shop.platform][1], **shop.own}.items()
                if value is not None
            },
        }
        for shop in SHOPS.values()
    }


class CheckedSite(Site):
    """A site whose stores have shops in the sandbox, and whose accounts authorise their domain."""

    def write(self) -> None:
        """See `Site`."""
        self.tree["gateway"] = {**self.tree["gateway"], "public_url": self.gateway}
        for shop in SHOPS.values():
            account = self.tree["accounts"][shop.name]
            self.tree["accounts"][shop.name] = account | {"authorised_domains": [DOMAIN], "currency": "EUR"}
        super().write()

    # The shop.

    def control(self, shop: Shop, method: str, what: str, said: Any = None) -> Any:
        """Change or see what a shop has."""
        url = f"{self.connectif.url}/_sandbox/shops/{shop.name}{what}"
        answer = http.request(method, url, json=said, timeout=10)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def open(self, shop: Shop, *, token: str | None = None) -> None:
        """The shop as it should be; with another token its API is closed to us."""
        access = copy.deepcopy(dict(ACCESS[shop.platform][0]))
        if token is not None:
            access = {"scheme": "bearer", "token": token}
        settings: dict[str, Any] = {"access": access}
        if shop.platform in {"shopify", "woocommerce", "vtex"}:
            settings["webhooks"] = shop.platform
        self.control(shop, "PUT", "", settings)
        if "webhooks" in settings:
            self.control(shop, "PUT", "/webhooks", self.registered(shop))
        if shop.platform != "shopify":
            people = [{"id": "12", "email": BUYER, "state": "subscribed"}]
            self.control(shop, "PUT", "/newsletter", {"form": shop.platform, "people": people})
        documents = [{"path": path, "answers": [{"body": body}]} for path, body in shop.documents().items()]
        self.control(shop, "PUT", "/documents", documents)

    def registered(self, shop: Shop) -> list[dict[str, Any]]:
        """Its webhooks, all there."""
        address = f"{self.gateway}/webhooks/{shop.platform}/{shop.name}"
        return topics_of(shop.platform, address, SECRET)

    def left_at(self, shop: Shop) -> list[str]:
        """Requests that may have changed something at the shop."""
        log = self.control(shop, "GET", "")["log"]
        return [
            f"{one['method']} {one['path']}"
            for one in log
            if one["method"] != "GET" and not one["path"].endswith("/graphql.json")
        ]

    # Connectif.

    def tracked(self, shop: Shop, purchase_id: str, placed: datetime = PLACED) -> None:
        """Let Connectif have a purchase, as web tracking tells it, and no other."""
        for known in (NUMBER, NAME):
            self._ask(shop, "DELETE", f"/purchases/purchase-id/{known}")
        self._ask(shop, "PATCH", f"/contacts/email/{BUYER}", {"_name": "Buyer"})
        product = {"name": "Cup", "productDetailUrl": f"{DOMAIN}/cup", "unitPrice": 21}
        self._ask(shop, "PATCH", f"/products/product-id/{PRODUCT}", product)
        purchase = {
            "purchaseId": purchase_id,
            "contactEmail": BUYER,
            "cartId": "cart",
            "purchaseDate": placed.isoformat(),
            "totalPrice": 21,
            "totalQuantity": 2,
            "paymentMethod": "card",
            "products": [{**LINE, "productId": PRODUCT}],
        }
        self._ask(shop, "POST", "/purchases/", purchase)

    def _ask(self, shop: Shop, method: str, path: str, body: Any = None) -> None:
        key = {"Authorization": f"apiKey {shop.name}:secret"}
        for _ in range(100):
            answer = http.request(method, self.connectif.url + path, json=body, headers=key, timeout=10)
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                break
        assert answer.status_code < 300 or answer.status_code == 404, answer.text

    def holds(self, shop: Shop) -> dict[str, list[str]]:
        """The ids of all that Connectif has."""
        return {
            kind: sorted(
                str(item["key"]) for item in self.connectif.ledger(shop.name, kind) if not item["deleted"]
            )
            for kind in ("contacts", "products", "purchases")
        }

    def check(
        self, shop: Shop, change: Callable[[dict[str, Any]], object] = lambda _: None, wait: float = 20
    ) -> StoreReport:
        """Check its store with settings of the check's own, which the processes do not have."""
        tree = copy.deepcopy(self.tree)
        change(tree)
        settings = config.parse(tree, {})
        [report] = asyncio.run(check_stores(settings, [shop.name], address=self.gateway, wait=wait))
        return report


def faults(report: StoreReport) -> dict[str, str]:
    """The steps at fault, with what was said of each."""
    return {
        step.name: f"{step.said} -> {step.todo}" for step in report.steps if step.outcome is Outcome.FAULT
    }
