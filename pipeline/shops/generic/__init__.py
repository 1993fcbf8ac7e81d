"""Custom shops, by a contract of our own: Standard Webhooks around documents of our published schema.

A request holds one envelope, `{"type": "order.updated", "timestamp": ..., "data": {...}}`, signed with its id
and its time; `data` is the whole entity. Money is texts, ids are texts, times have an offset.
"""

from pipeline.shops.generic.platform import GENERIC

__all__ = ["GENERIC"]
