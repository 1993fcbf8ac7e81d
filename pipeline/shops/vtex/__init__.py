"""VTEX: the order hook, Master Data triggers and the catalogue's notifications, which name ids only."""

from pipeline.shops.vtex.platform import VTEX

__all__ = ["VTEX"]
