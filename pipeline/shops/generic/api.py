"""The API of a custom shop, by our own contract: where it is and how it lets us in. Nothing is fetched."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.config_values import secret_text
from pipeline.shops.api import ApiRequest, Moment, RequestLimit, ShopApi
from pipeline.shops.generic.settings import GenericSettings


def base_url(settings: GenericSettings) -> str:
    """The address that paths are put behind."""
    return (settings.api_url or f"https://{settings.domain.partition('/')[0]}").rstrip("/")


def authorise(settings: GenericSettings, request: ApiRequest, moment: Moment) -> Mapping[str, str]:  # noqa: ARG001 - as `ShopApi` has it
    """A bearer's token, which is not the secret that webhooks are signed with."""
    return {"authorization": f"Bearer {secret_text(settings.api_token)}"}


def limit(settings: GenericSettings) -> RequestLimit:
    """As many as the settings say; the shop may ask for a pause by `Retry-After`."""
    return RequestLimit(settings.api_requests_per_minute, 60.0, parallel=2)


API: ShopApi[GenericSettings] = ShopApi(
    base_url=base_url,
    authorise=authorise,
    limit=limit,
    scopes=("api_token",),
)
