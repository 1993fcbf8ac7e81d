"""Requests of tests to processes of this machine."""

from __future__ import annotations

import httpx

#: `httpx.get` and its like read the certificates of the world each time: 30 ms of processor time, which
#: those that are waited for lack. No connection is kept: what listens may be killed and start again.
http = httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
