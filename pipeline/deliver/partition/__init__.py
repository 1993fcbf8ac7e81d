"""One partition: records in, receipts back, in two confirmed phases."""
