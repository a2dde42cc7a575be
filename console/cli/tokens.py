"""`steelyard token ...`"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.client import api, show
from console.cli.options import Json

app = typer.Typer(no_args_is_help=True, help="API tokens.")


@app.command("create")
def token_create(
    username: str,
    role: Annotated[
        str, typer.Option(help="viewer, operator, policy-admin or admin, for a new account")
    ] = "",
    days: Annotated[int, typer.Option()] = 90,
    as_json: Json = False,
) -> None:
    """An API token for a person or a program; shown this once."""
    with api() as client:
        answer = client.post(
            "tokens/",
            {"username": username, "role": role, "days": days}
            if role
            else {"username": username, "days": days},
        )
    if as_json:
        show(answer, True)
    else:
        typer.echo(answer["token"])


@app.command("list")
def token_list(as_json: Json = False) -> None:
    """All tokens, without their secrets."""
    with api() as client:
        tokens = client.get("tokens/")
    show(tokens, as_json, "key", "username", "role", "expiry")


@app.command("revoke")
def token_revoke(key: str, as_json: Json = False) -> None:
    """End a token at once."""
    with api() as client:
        client.delete(f"tokens/{key}/")
    show({"key": key, "state": "revoked"}, as_json, "key", "state")
