"""`steelyard engine ...`"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.client import api, err, show
from console.cli.options import Json, Why

app = typer.Typer(no_args_is_help=True, help="Engines: what carries the traffic, and what it was told.")


@app.command("list")
def engine_list(as_json: Json = False) -> None:
    """The nodes: connected, what they shall have and have, who picks, what they refused."""
    with api() as client:
        answer = client.get("engines/")
    if as_json:
        show(answer, True)
        return
    for each in answer["results"]:
        each["applied"] = f"{each['applied']}/{each['desired']}"
        each["uptime"] = "-" if each["uptime_s"] is None else f"{each['uptime_s']:.0f}s"
    columns = (
        "node",
        "connected",
        "ready",
        "version",
        "uptime",
        "applied",
        "picker",
        "rate_per_s",
        "refused",
    )
    show(answer["results"], False, *columns, "last_refusal")
    if answer["guard"]:
        err.print(f"Held back: {answer['guard']}", markup=False, highlight=False)


@app.command("publish")
def engine_publish(
    service: Annotated[
        list[str] | None, typer.Argument(help="Only these; none: all that is held back.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Yes, it is meant.")] = False,
    reason: Why = "",
    as_json: Json = False,
) -> None:
    """Publish what the guard holds back: endpoint sets that would become empty, or less than half."""
    body = {"force": force, "services": service or [], "reason": reason}
    with api() as client:
        answer = client.post("engines/publish/", body)
    show(answer, as_json, "services")


@app.command("token")
def engine_token(node: str, as_json: Json = False) -> None:
    """The token with which a node of this name connects from another machine."""
    with api() as client:
        answer = client.post("engines/tokens/", {"node": node})
    if as_json:
        show(answer, True)
    else:
        typer.echo(answer["token"])


@app.command("revoke")
def engine_revoke(node: str, as_json: Json = False) -> None:
    """Let this node in no more."""
    with api() as client:
        client.delete(f"engines/tokens/{node}/")
    show({"node": node, "state": "revoked"}, as_json, "node", "state")
