"""Newsletter consent on its way from Connectif to the shop: what counts, how it is written, what waits."""
