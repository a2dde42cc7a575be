"""`steelyard demo ...`"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.client import api, show
from console.cli.options import Json

app = typer.Typer(no_args_is_help=True, help="A demo fleet: simulated hosts, to try everything with.")


@app.command("start")
def demo_start(
    hosts: Annotated[int, typer.Option(help="How many, at most 200.")] = 200, as_json: Json = False
) -> None:
    """Make simulated hosts; never beside real ones."""
    with api() as client:
        show(client.post("demo/", {"hosts": hosts}), as_json, "hosts")


@app.command("status")
def demo_status(as_json: Json = False) -> None:
    """How many simulated hosts are here."""
    with api() as client:
        show(client.get("demo/"), as_json, "hosts")


@app.command("remove")
def demo_remove(as_json: Json = False) -> None:
    """Forget all simulated hosts and what is placed on them."""
    with api() as client:
        client.delete("demo/")
    show({"hosts": 0}, as_json, "hosts")
