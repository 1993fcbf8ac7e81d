"""How well the budget of calls is used: the deliver stage and the sandbox together, on virtual time.

    python -m benchmarks.budget [backlog] [live] [day] [consent] [--accounts 10] [--orders 30000]

Everything but Kafka, the network and the clock is real, and the same seed gives the same figures. Each
account has an environment and a process of its own. Beside the pipeline stand two baselines (`baselines`),
and beside the figures the least that any program needs (`bound`). At its end the pipeline's result is
compared with what was said: nothing missing, twice or old.
"""
