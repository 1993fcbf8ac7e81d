"""PrestaShop: modules call when something happens; what they name is read from the shop's webservice."""

from pipeline.shops.prestashop.platform import PRESTASHOP

__all__ = ["PRESTASHOP"]
