"""Raw events -> canonical records: adapters, deduplication and order (docs/adr/0006)."""
