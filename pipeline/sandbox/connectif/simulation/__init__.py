"""How the simulation runs: its clock, the API's behaviour where it is not documented, and faults."""
