"""Connectif, simulated: an ASGI app for tests, demos, and clients that others wrote for the real API."""
