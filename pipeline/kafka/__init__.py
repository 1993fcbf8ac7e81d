"""Kafka's clients: where it is, the topics, one producer, one reader of ranges, and dead letters."""
