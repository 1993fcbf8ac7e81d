"""Simulated services: what the pipeline talks to, simulated on this machine for tests and demos.

`connectif` simulates Connectif's API. Simulated shops belong beside it, in `shops`, one package per platform.
None of them shares code with the clients in `pipeline.connectif` and `pipeline.shops`: a mistake there has to
show here.
"""
