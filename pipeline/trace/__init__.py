"""`pipeline trace`: the whole life of an order, customer or product, from its events to Connectif."""
