"""Contacts, products and orders from the shops' APIs, by command and each day, as events of `shop.*`."""
