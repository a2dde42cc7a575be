"""`steelyard tenant ...` and `steelyard schedule ...`"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from console.cli.client import api, out, show
from console.cli.options import Json, Why, amounts

app = typer.Typer(no_args_is_help=True, help="Tenants: who shares the cluster, by which weights and quotas.")
schedules = typer.Typer(no_args_is_help=True, help="Jobs that are handed in again and again.")

TENANT = ("name", "turn", "share", "resource", "weight", "quota", "bursts", "preempts", "running", "waiting")
SHARES = ("name", "resource", "now", "most", "fair", "quota", "weight")
SCHEDULE = ("name", "cron", "next_at", "last_at", "paused", "request")


@app.command("list")
def tenant_list(as_json: Json = False) -> None:
    """Every tenant, whose turn it is first."""
    with api() as client:
        show(client.get("tenants/"), as_json, *TENANT)


@app.command("set")
def tenant_set(
    name: str,
    weight: Annotated[float, typer.Option(help="Twice the weight is twice the share.")] = 1.0,
    quota: Annotated[
        list[str], typer.Option(help="RESOURCE=AMOUNT that its jobs hold at most together.")
    ] = [],
    bursts: Annotated[bool, typer.Option(help="It may hold more while nobody else waits.")] = False,
    preempts: Annotated[
        str, typer.Option(help="Whose preemptible jobs leave for its own: none, own, or others.")
    ] = "own",
    reason: Why = "",
    as_json: Json = False,
) -> None:
    """Say how a tenant shares the cluster."""
    body = {"weight": weight, "quota": amounts(quota, "--quota"), "bursts": bursts, "preempts": preempts}
    body |= {"reason": reason}
    with api() as client:
        show(client.put(f"tenants/{name}/", body), as_json, *TENANT)


@app.command("shares")
def tenant_shares(
    of: Annotated[str, typer.Option("--range", help="1h or 24h.")] = "1h", as_json: Json = False
) -> None:
    """Each tenant's share over the last hour or day: now, the most, and its fair part and quota now."""
    with api() as client:
        found = client.get("tenant-shares/", range=of)
    if as_json:
        show(found, as_json)
        return
    for each in found["tenants"]:
        each |= {name: _newest(each[name]) for name in ("fair", "quota")}
    show(found["tenants"], as_json, *SHARES)


def _newest(values: list[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


@app.command("forget")
def tenant_forget(name: str) -> None:
    """Let a tenant share as everybody does: weight 1 and no quota."""
    with api() as client:
        client.delete(f"tenants/{name}/")
    out.print(f"{name} shares as everybody does.", markup=False, highlight=False)


@schedules.command("list")
def schedule_list(as_json: Json = False) -> None:
    """Every schedule with its next moment."""
    with api() as client:
        show(client.get("schedules/"), as_json, *SCHEDULE)


@schedules.command("put")
def schedule_put(
    name: str,
    cron: Annotated[str, typer.Argument(help="Minute, hour, day, month, weekday; in UTC.")],
    request: Annotated[str, typer.Argument(help='The job as JSON, for instance {"task": "demo.add"}.')],
    paused: Annotated[bool, typer.Option(help="Keep it without handing anything in.")] = False,
    overlaps: Annotated[bool, typer.Option(help="Also while the last one has not ended.")] = False,
    catches_up: Annotated[bool, typer.Option(help="Make up, once, for runs that were missed.")] = True,
    reason: Why = "",
    as_json: Json = False,
) -> None:
    """Hand a job in at every minute that the expression names."""
    try:
        job: Any = json.loads(request)
    except ValueError as error:
        raise typer.BadParameter(f"{error}", param_hint="REQUEST") from None
    body = {
        "cron": cron,
        "request": job,
        "paused": paused,
        "overlaps": overlaps,
        "catches_up": catches_up,
        "reason": reason,
    }
    with api() as client:
        show(client.put(f"schedules/{name}/", body), as_json, *SCHEDULE)


@schedules.command("remove")
def schedule_remove(name: str) -> None:
    """Hand the job in no more; what was handed in goes on."""
    with api() as client:
        client.delete(f"schedules/{name}/")
    out.print(f"{name} is removed.", markup=False, highlight=False)
