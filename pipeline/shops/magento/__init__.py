"""Magento Open Source and Adobe Commerce: one shop software, two ways of telling.

Adobe I/O Events name what happened and are signed with Adobe's own keys; modules of Open Source send whole
documents signed with a shared secret, or names alone behind a token. All of them are one platform: the
documents, the settings and the API are the same, and a shop that moves from one to the other keeps its store
here.
"""

from pipeline.shops.magento.platform import MAGENTO

__all__ = ["MAGENTO"]
