"""Shops' APIs, simulated: documents by path, credentials, limits, tokens that expire, and faults.

A shop is what `SimulatedShop` says of it: how it lets requests in, what it stands, what its documents are.
Nothing here knows a platform; tests and the demo give each shop documents and credentials of its own.
"""
