"""`steelyard policy ...`"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from console.cli.client import api, show
from console.cli.constraints import Options, options
from console.cli.options import Json, Why

app = typer.Typer(no_args_is_help=True, help="By which policies loads are placed that name none.")

Kind = Annotated[str, typer.Argument(help="job, shard or service")]
SHOWN = ("kind", "policy", "options", "version", "made_by", "made_at", "reason")


@app.command("list")
def policy_list(as_json: Json = False) -> None:
    """The policies that are installed."""
    with api() as client:
        found = client.get("policies/")
    rows = found if as_json else [{**each, "options": list(each["schema"]["properties"])} for each in found]
    show(rows, as_json, "name", "version", "options", "summary")


@app.command("show")
def policy_show(
    kind: Annotated[str, typer.Argument(help="job, shard or service")] = "", as_json: Json = False
) -> None:
    """The default of each kind of load, or of one."""
    with api() as client:
        show(client.get(f"policy-defaults/{kind}/" if kind else "policy-defaults/"), as_json, *SHOWN)


@app.command("set")
def policy_set(
    kind: Kind,
    policy: Annotated[str, typer.Argument(help="One of `steelyard policy list`.")],
    option: Options = [],
    reason: Why = "",
    as_json: Json = False,
) -> None:
    """Place this kind of load by another policy from now on; needs a reason."""
    body: dict[str, Any] = {"policy": policy, "options": options(option), "reason": reason}
    with api() as client:
        show(client.put(f"policy-defaults/{kind}/", body), as_json, *SHOWN)


@app.command("history")
def policy_history(kind: Kind, as_json: Json = False) -> None:
    """Every version, newest first."""
    with api() as client:
        show(client.get(f"policy-defaults/{kind}/versions/", limit=1000)["results"], as_json, *SHOWN)


@app.command("restore")
def policy_restore(
    kind: Kind,
    version: Annotated[int, typer.Argument(help="Of `steelyard policy history`; 0: as it was built.")],
    reason: Why = "",
    as_json: Json = False,
) -> None:
    """Go back to an earlier version, as a new one; needs a reason."""
    with api() as client:
        show(
            client.post(f"policy-defaults/{kind}/restore/", {"version": version, "reason": reason}),
            as_json,
            *SHOWN,
        )
