"""`steelyard storage-pool ...`"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from console.cli.client import api, show
from console.cli.options import Json, Why, amounts

app = typer.Typer(no_args_is_help=True, help="Storage pools: how shards are kept, and where.")

Name = Annotated[str, typer.Argument(help="The pool's name.")]
SHOWN = ("name", "kind", "pieces", "spread_level", "low", "high", "automatic", "shards", "said")
#: What a pool says and is not asked for.
_ANSWERED = ("name", "kind", "pieces", "shards", "cluster", "above_since", "said", "created_at")


@app.command("list")
def pool_list(as_json: Json = False) -> None:
    """The storage pools."""
    with api() as client:
        show(client.get("storage-pools/"), as_json, *SHOWN)


@app.command("show")
def pool_show(name: Name, as_json: Json = False) -> None:
    """One pool, in all that it says."""
    with api() as client:
        pool = client.get(f"storage-pools/{name}/")
    if as_json:
        show(pool, True)
    else:
        show([{"what": key, "value": value} for key, value in pool.items()], False, "what", "value")


@app.command("put")
def pool_put(
    name: Name,
    replicas: Annotated[int | None, typer.Option(help="Whole copies of each shard.")] = None,
    erasure: Annotated[str, typer.Option(help="K+M: an erasure set, placed here and filled by others.")] = "",
    spread: Annotated[str | None, typer.Option(help='A label that no two pieces share, or "host".')] = None,
    low: Annotated[float | None, typer.Option(help="Above this share nothing new is placed.")] = None,
    high: Annotated[float | None, typer.Option(help="Above this share shards leave.")] = None,
    policy: Annotated[str | None, typer.Option(help="By which pieces are placed.")] = None,
    redis: Annotated[str, typer.Option(help="HOST:PORT of a node: the slots of that Redis Cluster.")] = "",
    slots: Annotated[int | None, typer.Option(help="Most slots of a shard of a Redis Cluster.")] = None,
    mover: Annotated[str | None, typer.Option(help="tree, or none where others keep the data.")] = None,
    keep_days: Annotated[float | None, typer.Option(help="Days of growth to reserve room for.")] = None,
    automatic: Annotated[str | None, typer.Option(help="off, propose or carry-out.")] = None,
    threshold: Annotated[float | None, typer.Option(help="The fullest over the mean.")] = None,
    hold_s: Annotated[float | None, typer.Option(help="Seconds above it before anything is done.")] = None,
    margin: Annotated[float | None, typer.Option(help="So far below it is the aim.")] = None,
    mb_s: Annotated[
        float | None, typer.Option(help="Megabytes a second of each host, for its moves.")
    ] = None,
    reason: Why = "",
    as_json: Json = False,
) -> None:
    """Make a pool, or change what is named of one; the rest stays as it is."""
    asked: dict[str, Any] = {
        "slots": slots, "spread_level": spread, "low": low, "high": high, "policy": policy, "mover": mover,
        "keep_days": keep_days,
        "automatic": automatic, "threshold": threshold, "hold_s": hold_s, "margin": margin,
        "bytes_s": None if mb_s is None else mb_s * 1e6,
    }  # fmt: skip
    if erasure:
        data, plus, parity = erasure.partition("+")
        if not (plus and data.isdecimal() and parity.isdecimal()):
            raise typer.BadParameter("K+M is needed, such as 4+2", param_hint="--erasure")
        asked |= {"data": int(data), "parity": int(parity), "mover": mover or "none"}
    elif redis:
        asked |= {"data": 1, "parity": 0, "mover": "redis", "seed": redis}
    elif replicas is not None:
        asked |= {"data": 1, "parity": replicas - 1}
    said = {key: value for key, value in asked.items() if value is not None}
    with api() as client:
        known = {pool["name"]: pool for pool in client.get("storage-pools/")}.get(name, {})
        kept = {key: value for key, value in known.items() if key not in _ANSWERED}
        answer = client.put(f"storage-pools/{name}/", {**kept, **said, "reason": reason})
    show(answer, as_json, *SHOWN)


@app.command("survey")
def pool_survey(name: Name, as_json: Json = False) -> None:
    """Have a Redis Cluster looked at now: where its slots are, how large and how much used."""
    with api() as client:
        answer = client.post(f"storage-pools/{name}/survey/")
    show(answer, as_json, *SHOWN)


@app.command("remove")
def pool_remove(name: Name, as_json: Json = False) -> None:
    """Give up a pool that has no shards, or let go of a Redis Cluster, whose slots stay as they are."""
    with api() as client:
        client.delete(f"storage-pools/{name}/")
    show({"name": name, "state": "removed"}, as_json, "name", "state")


@app.command("capacity")
def pool_capacity(
    without: Annotated[list[str], typer.Option("--without", help="A host that would be gone; repeat.")] = [],
    add: Annotated[
        list[str],
        typer.Option("--add", help="COUNTxDISK[,LABEL=VALUE...] that would be new, such as 3x2Ti,zone=a."),
    ] = [],
    as_json: Json = False,
) -> None:
    """Days until pools, failure domains and hosts are full, as they grow now; or with other hosts."""
    with api() as client:
        if without or add:
            asked = {
                "without": without,
                "add": [_newcomers(number, each) for number, each in enumerate(add, 1)],
            }
            answer = client.post("storage-capacity/", asked)
        else:
            answer = client.get("storage-capacity/")
    show(answer, as_json, "kind", "name", "capacity", "held", "growth_bytes_day", "days", "why")


def _newcomers(number: int, text: str) -> dict[str, Any]:
    size, *pairs = text.split(",")
    count, times, disk = size.partition("x")
    if not (times and count.isdecimal()):
        raise typer.BadParameter("COUNTxDISK is needed, such as 3x2Ti", param_hint="--add")
    labels = {key: value for key, _, value in (pair.partition("=") for pair in pairs)}
    amount = amounts([f"disk={disk}"], "--add")["disk"]
    return {"name": f"new{number}", "disk": amount, "labels": labels, "count": int(count)}
