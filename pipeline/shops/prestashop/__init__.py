"""PrestaShop 1.7 to 9: modules announce what happened, the webservice has the documents.

PrestaShop itself sends no webhooks, and what modules send differs in all but one thing: it names an entity.
So every announcement is taken for a name, and what it means is fetched: an order's customer, currency,
address and credit slips are documents of their own.
"""

from pipeline.shops.prestashop.platform import PRESTASHOP

__all__ = ["PRESTASHOP"]
