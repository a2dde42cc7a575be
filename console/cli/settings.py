"""`steelyard service configure | settings | preview`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from console.cli.client import api, err, show
from console.cli.constraints import read_json
from console.cli.options import Json, pairs, read_text

Assignments = Annotated[
    list[str],
    typer.Option(
        "--set", help="PATH=VALUE, for instance http.timeout_s=5; VALUE is JSON, or else text; null resets."
    ),
]
File = Annotated[Path | None, typer.Option("--file", help="The document, or - for standard input.")]


def service_configure(
    name: str,
    assignments: Assignments = [],
    file: File = None,
    replace: Annotated[bool, typer.Option("--replace", help="The file is the whole document.")] = False,
    as_json: Json = False,
) -> None:
    """Change a service's settings: TLS, routes, limits, checks."""
    if file is None and not assignments:
        raise typer.BadParameter("say what to change: --set PATH=VALUE or --file", param_hint="--set")
    if replace and assignments:
        raise typer.BadParameter("goes with --file alone", param_hint="--replace")
    document = {} if file is None else read_document(file)
    for path, value in pairs(assignments, "--set").items():
        _put(document, path, value)
    with api() as client:
        path = f"services/{name}/settings/"
        answer = client.put(path, document) if replace else client.patch(path, document)
        warnings = client.get(f"services/{name}/")["warnings"]
    say_settings(answer, as_json)
    for warning in warnings:
        err.print(warning, markup=False, highlight=False)


def service_settings(name: str, as_json: Json = False) -> None:
    """A service's settings document."""
    with api() as client:
        answer = client.get(f"services/{name}/settings/")
    say_settings(answer, as_json)


def service_preview(
    name: str, assignments: Assignments = [], file: File = None, as_json: Json = False
) -> None:
    """What the engine would be told; nothing is changed. JSON, on one line with --json."""
    document = {} if file is None else read_document(file)
    for path, value in pairs(assignments, "--set").items():
        _put(document, path, value)
    with api() as client:
        answer = client.post(f"services/{name}/preview/", {"patch": document})
    typer.echo(json.dumps(answer, indent=None if as_json else 2))


def read_document(file: Path, option: str = "--file") -> dict[str, Any]:
    """A JSON object from a file; anything else ends the command, and names the option."""
    text = typer.get_text_stream("stdin").read() if str(file) == "-" else read_text(file, option)
    try:
        found = read_json(text)
    except ValueError as error:
        raise typer.BadParameter(f"{file} is not JSON: {error}", param_hint=option) from None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{file} holds no JSON object", param_hint=option)
    return found


def _put(document: dict[str, Any], path: str, text: str) -> None:
    """Set the value at a dotted path. What is no JSON is text."""
    *parents, last = path.split(".")
    place = document
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise typer.BadParameter(f"{path}: {parent} is no object", param_hint="--set")
    try:
        place[last] = json.loads(text)
    except ValueError:
        place[last] = text


def say_settings(document: Any, as_json: bool) -> None:
    """A document of settings, which may be empty."""
    if as_json or document:
        show(document, True)
    else:
        typer.echo("Everything as usual.")
