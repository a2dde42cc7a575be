"""The command line: `steelyard`, a thin client of the REST API."""

from __future__ import annotations


def main() -> None:
    """Entry point."""
    # Imported late: the package alone must not load the command line.
    from console.cli.commands import app

    app()
