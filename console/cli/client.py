"""How the command line reaches the API, and how it shows answers and refusals."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from clients.rest import ProblemError, Steelyard
from console.place import Place

# A sentence stays on one line: terminals wrap it by themselves, and a log keeps it whole.
out, err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)
#: Where no terminal says how wide it is, a table is as wide as its cells: programs read it line by line.
WIDEST = 1_000_000


@contextmanager
def api() -> Iterator[Steelyard]:
    """A client of the API; refusals and a console that does not answer end the command with a sentence, exit code 1."""
    place = Place.from_environment()
    url = os.environ.get("STEELYARD_URL") or _read(place.console_url)
    token = os.environ.get("STEELYARD_TOKEN") or _read(place.cli_token)
    if not url or not token:
        err.print(
            "No console is known here. Start one with [bold]steelyard up[/], or set STEELYARD_URL and STEELYARD_TOKEN."
        )
        raise typer.Exit(1)
    with Steelyard(url, token) as client:
        try:
            yield client
        except ProblemError as problem:
            _refused(problem)
            raise typer.Exit(1) from None
        except httpx.TransportError as error:
            err.print(f"The console at {url} does not answer: {error}", markup=False)
            raise typer.Exit(1) from None


def _read(path: Any) -> str:
    try:
        return str(path.read_text().strip())
    except OSError:
        return ""


def _refused(problem: ProblemError) -> None:
    err.print(f"{problem.title}: {problem.detail}", style="red", markup=False, highlight=False)
    for host in problem.hosts:
        err.print(f"  {host['host']}: {host['reason']}", markup=False, highlight=False)
    if problem.preemption:
        err.print(f"  {problem.preemption['sentence']}", markup=False, highlight=False)


def show(answer: Any, as_json: bool, *columns: str) -> None:
    """Print an answer: as JSON, or lists as a table of these columns and single things as lines."""
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    rows = answer if isinstance(answer, list) else [answer]
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    if not out.is_terminal:
        out.width = WIDEST
    out.print(table, soft_wrap=False)


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case float():
            return f"{value:.3g}"
        case dict():
            return " ".join(f"{key}={_cell(each)}" for key, each in value.items())
        case list():
            return ", ".join(_cell(each) for each in value)
        case _:
            return str(value)
