"""`shop.*` as Parquet files, for longer than the topics keep it."""
