"""Simulated services: what the pipeline talks to, simulated on this machine for tests and demos.

`connectif` simulates Connectif's API, `shops` those of shops; `server` serves both as one process. None of
them shares code with the clients in `pipeline.connectif`, `pipeline.shops` and `pipeline.sync`: a mistake
there has to show here.
"""
