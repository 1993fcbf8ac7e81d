"""Events of the past, once more: a range of `shop.*` through today's adapters, in the backfill's lane."""
