"""`steelyard preference ...`"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from console.cli.client import api, show
from console.cli.options import Json

app = typer.Typer(
    no_args_is_help=True, help="Preferences of the one whose token it is: theme, density, keys."
)


@app.command("list")
def preference_list(as_json: Json = False) -> None:
    """What is kept, and the defaults."""
    with api() as client:
        show(client.get("preferences/"), as_json, "key", "document", "chosen", "meaning")


@app.command("set")
def preference_set(
    key: str,
    document: Annotated[str, typer.Argument(help="JSON; what is no JSON is taken as a text.")],
    as_json: Json = False,
) -> None:
    """Keep a document under a key."""
    try:
        value = json.loads(document)
    except ValueError:
        value = document
    with api() as client:
        show(client.put(f"preferences/{key}/", {"document": value}), as_json, "key", "document")


@app.command("forget")
def preference_forget(key: str, as_json: Json = False) -> None:
    """Back to the default."""
    with api() as client:
        client.delete(f"preferences/{key}/")
        show(client.get(f"preferences/{key}/"), as_json, "key", "document")
