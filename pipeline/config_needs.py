"""Which secrets each process needs: where another one is missing, it goes on."""

from __future__ import annotations

from pipeline.config_stores import SECRETS_OF_STORES

_EVERY = frozenset({"http_token", "security"})
_WEBHOOKS = frozenset({"secrets", "callback_tokens"})
_OF_STORES = frozenset[str]().union(*SECRETS_OF_STORES.values())

#: What verifies webhooks and callbacks.
GATEWAY = _EVERY | _WEBHOOKS
#: Kafka's, and what others ask a worker with.
KAFKA_ONLY = _EVERY
#: What opens Connectif's accounts.
CONNECTIF = _EVERY | {"api_key"}
#: What opens the shops' APIs.
SHOPS = _EVERY | (_OF_STORES - _WEBHOOKS)
