"""What the tests of containers and of Kubernetes know of the processes."""

from __future__ import annotations

from pipeline import config_needs

#: What each process reads of the settings' secrets; the others read all.
SECRETS_NEEDED = {
    "topics": config_needs.KAFKA_ONLY,
    "gateway": config_needs.GATEWAY,
    "translate": config_needs.KAFKA_ONLY,
    "deliver": config_needs.CONNECTIF,
    "erase": config_needs.CONNECTIF,
    "reconcile": config_needs.CONNECTIF,
    "sync": config_needs.SHOPS,
    "archive": config_needs.KAFKA_ONLY,
    "status": config_needs.KAFKA_ONLY,
}
