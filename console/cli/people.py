"""`steelyard person ...`"""

from __future__ import annotations

from typing import Annotated

import typer

from clients.rest import Steelyard
from console.cli.client import api, err, show
from console.cli.options import Json

app = typer.Typer(no_args_is_help=True, help="People: accounts, their roles and passwords.")

Role = Annotated[str, typer.Argument(help="viewer, operator, policy-admin or admin")]
SHOWN = ("username", "role", "is_active", "second_factor", "single_sign_on", "last_login")


@app.command("list")
def person_list(as_json: Json = False) -> None:
    """The accounts of people and programs."""
    with api() as client:
        show(client.get("people/", limit=1000)["results"], as_json, *SHOWN)


@app.command("create")
def person_create(username: str, role: Role = "viewer", as_json: Json = False) -> None:
    """Make an account; prints the link by which its owner sets a password."""
    with api() as client:
        made = client.post("people/", {"username": username, "role": role})
        link = client.post(f"people/{made['id']}/password-link/")
    show({**made, **link}, as_json, "username", "role", "url")


@app.command("role")
def person_role(username: str, role: Role, as_json: Json = False) -> None:
    """Give an account another role."""
    with api() as client:
        show(client.post(f"people/{_id(client, username)}/role/", {"role": role}), as_json, *SHOWN)


@app.command("disable")
def person_disable(username: str, as_json: Json = False) -> None:
    """Switch an account off: its sessions and tokens open nothing any more."""
    with api() as client:
        show(client.post(f"people/{_id(client, username)}/disable/"), as_json, *SHOWN)


@app.command("enable")
def person_enable(username: str, as_json: Json = False) -> None:
    """Switch an account on again."""
    with api() as client:
        show(client.post(f"people/{_id(client, username)}/enable/"), as_json, *SHOWN)


@app.command("reset-second-factor")
def person_reset_second_factor(username: str, as_json: Json = False) -> None:
    """Take away an account's second factor: its owner has lost it, and sets up a new one."""
    with api() as client:
        show(client.post(f"people/{_id(client, username)}/reset-second-factor/"), as_json, *SHOWN)


@app.command("link")
def person_link(username: str, as_json: Json = False) -> None:
    """A one-time link by which its owner sets a password."""
    with api() as client:
        show(client.post(f"people/{_id(client, username)}/password-link/"), as_json, "url")


def _id(client: Steelyard, username: str) -> int:
    found = client.get("people/", username=username)["results"]
    if not found:
        err.print(f"No account is called {username}.", markup=False)
        raise typer.Exit(1)
    return int(found[0]["id"])
