"""`steelyard certificate ...` and `steelyard api-key ...`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.cli.client import api, err, show
from console.cli.options import Json, read_text

app = typer.Typer(no_args_is_help=True, help="Certificates that services show, and CAs of their clients.")
keys = typer.Typer(no_args_is_help=True, help="Keys with which clients of services name themselves.")


@app.command("add")
def certificate_add(
    name: str,
    chain: Annotated[Path | None, typer.Option(help="PEM file, the server's own certificate first.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="PEM file of its private key, without a passphrase.")
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(help="PEM file of the CA that signs clients' certificates.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Keep a certificate under a name, or renew the one there."""
    texts = {
        part: read_text(path, f"--{part}")
        for part, path in (("chain", chain), ("key", key), ("ca", ca))
        if path
    }
    with api() as client:
        answer = client.post("certificates/", {"name": name, **texts})
    show(answer, as_json, "name", "names", "valid_until", "used_by")
    for warning in answer["warnings"]:
        err.print(warning, markup=False)


@app.command("list")
def certificate_list(as_json: Json = False) -> None:
    """The certificates: for which names, until when, used by which services."""
    with api() as client:
        found = client.get("certificates/", limit=1000)["results"]
    show(found, as_json, "name", "names", "valid_until", "used_by", "warnings")


@app.command("remove")
def certificate_remove(name: str, as_json: Json = False) -> None:
    """Forget a certificate and its key."""
    with api() as client:
        client.delete(f"certificates/{name}/")
    show({"name": name, "state": "removed"}, as_json, "name", "state")


@keys.command("create")
def key_create(name: str, as_json: Json = False) -> None:
    """A new key; shown this once."""
    with api() as client:
        answer = client.post("api-keys/", {"name": name})
    if as_json:
        show(answer, True)
    else:
        typer.echo(answer["key"])


@keys.command("list")
def key_list(as_json: Json = False) -> None:
    """The keys' names, and the services that they open."""
    with api() as client:
        found = client.get("api-keys/", limit=1000)["results"]
    show(found, as_json, "name", "created_at", "used_by")


@keys.command("remove")
def key_remove(name: str, as_json: Json = False) -> None:
    """The key opens nothing any more."""
    with api() as client:
        client.delete(f"api-keys/{name}/")
    show({"name": name, "state": "removed"}, as_json, "name", "state")
