"""The command line: `steelyard`. A thin client of the REST API, and `up`, which starts everything on one machine."""

from __future__ import annotations


def main() -> None:
    """Entry point."""
    from console.cli.commands import (
        app,  # imported late: `steelyard-agent` and tests import the package alone
    )

    app()
