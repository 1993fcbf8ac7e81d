"""`python -m grafana.source`: writes every dashboard that is not as the code has it, and says which."""

from __future__ import annotations

import sys

from grafana.source.files import DIRECTORY, write


def main() -> int:
    """Write them; returns the exit code."""
    for name in write(DIRECTORY):
        sys.stdout.write(f"{name} is new\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
