"""The workers of a stage as others see them: who holds a partition, where its HTTP side is, and asking it."""
