"""Raw events -> canonical records: what shops' bodies mean, deduplication and order (docs/adr/0006)."""
