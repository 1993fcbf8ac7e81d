"""The `pipeline` command: one file a group of commands, each of which reads options and calls a function."""

from __future__ import annotations

from pipeline.cli.root import app, main

__all__ = ["app", "main"]
