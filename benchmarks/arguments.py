"""The command lines of the benchmarks."""

from __future__ import annotations

import argparse
import sys


def argument_parser(about: str | None) -> argparse.ArgumentParser:
    """A parser that shows a program's docstring as it is written, and how it is called."""
    spec = sys.modules["__main__"].__spec__
    return argparse.ArgumentParser(
        prog=None if spec is None else f"python -m {spec.name.removesuffix('.__main__')}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
