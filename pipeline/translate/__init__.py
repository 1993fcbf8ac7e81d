"""Raw events -> canonical records: adapters, deduplication and order (docs/adr/0002, design of the marks)."""
