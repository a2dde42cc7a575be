"""`steelyard rebalance ...`"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from balancer_core.amounts import format_amount
from console.cli.client import api, out, show
from console.cli.options import Json, Why

app = typer.Typer(no_args_is_help=True, help="Plans of moves for shards: proposed first, then applied.")

Plan = Annotated[int, typer.Argument(help="The plan's number.")]

SHOWN = ("id", "state", "takes_s", "created_by", "sentence")
POINTS = ("even", "moves", "moved", "of_all", "takes_s", "fullest", "is")
MOVES = ("number", "shard", "source", "target", "state", "error")


@app.command("propose")
def rebalance_propose(
    drain: Annotated[list[str], typer.Option("--drain", help="A host to empty; repeat for each.")] = [],
    even: Annotated[float | None, typer.Option(help="The fullest over the mean, such as 1.05.")] = None,
    pool: Annotated[str, typer.Option(help="Whose shards alone move; left out: of all.")] = "",
    mb_s: Annotated[float, typer.Option(help="Megabytes a second of each host, for all its moves.")] = 50.0,
    per_host: Annotated[int, typer.Option(help="Moves of a host at once.")] = 2,
    together: Annotated[int, typer.Option(help="Moves at once in all.")] = 16,
    full: Annotated[float, typer.Option(help="No move fills a disk above this share.")] = 0.9,
    as_json: Json = False,
) -> None:
    """Say which replicas should move where. Hosts that drain or are lost are emptied; nothing moves yet."""
    asked = {
        "drain": drain, "even": even, "pool": pool, "bytes_s": mb_s * 1e6,
        "per_host": per_host, "together": together, "full": full,
    }  # fmt: skip
    with api() as client:
        show_plan(client.post("rebalances/", asked), as_json)


@app.command("list")
def rebalance_list(as_json: Json = False) -> None:
    """The plans, newest first."""
    with api() as client:
        show(client.get("rebalances/", limit=1000)["results"], as_json, *SHOWN)


@app.command("show")
def rebalance_show(plan: Plan, as_json: Json = False) -> None:
    """One plan and how far its moves are."""
    with api() as client:
        show_plan(client.get(f"rebalances/{plan}/"), as_json)


@app.command("apply")
def rebalance_apply(plan: Plan, reason: Why = "", as_json: Json = False) -> None:
    """Begin to carry a plan out."""
    _act(plan, "apply", reason, as_json)


@app.command("pause")
def rebalance_pause(plan: Plan, reason: Why = "", as_json: Json = False) -> None:
    """Begin no more moves; those under way come to their end."""
    _act(plan, "pause", reason, as_json)


@app.command("resume")
def rebalance_resume(plan: Plan, reason: Why = "", as_json: Json = False) -> None:
    """Go on with the moves that have not begun."""
    _act(plan, "resume", reason, as_json)


@app.command("cancel")
def rebalance_cancel(plan: Plan, reason: Why = "", as_json: Json = False) -> None:
    """Give up what has not begun; what is under way comes to its end."""
    _act(plan, "cancel", reason, as_json)


@app.command("undo")
def rebalance_undo(plan: Plan, reason: Why = "", as_json: Json = False) -> None:
    """Propose a plan that takes back what an ended one has moved; nothing moves yet."""
    with api() as client:
        show_plan(client.post(f"rebalances/{plan}/undo/", {"reason": reason}), as_json)


def _act(plan: int, verb: str, reason: str, as_json: bool) -> None:
    with api() as client:
        show(client.post(f"rebalances/{plan}/{verb}/", {"reason": reason}), as_json, *SHOWN)


def show_plan(plan: dict[str, Any], as_json: bool) -> None:
    """Print a plan: what it does, what other aims would cost, its moves."""
    if as_json:
        show(plan, True)
        return
    out.print(
        f"Plan {plan['id']}, {plan['state']}. {plan['sentence']}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if plan["frontier"]:
        out.print("What evenness costs; the other aims were searched briefly:", highlight=False)
        show([_point(each) for each in plan["frontier"]], False, *POINTS)
    if plan["moves"]:
        show(plan["moves"], False, *MOVES)


def _point(point: dict[str, Any]) -> dict[str, Any]:
    """What an aim comes to, as a line of the table."""
    return {
        **point,
        "even": None if point["even"] is None else f"{point['even']:g}",
        "moved": format_amount(point["bytes"], "bytes"),
        "of_all": f"{point['share']:.1%}",
        "fullest": {name: f"{peak:.2f}" for name, peak in point["after"].items()},
        "is": "this plan" if point["chosen"] else "",
    }
