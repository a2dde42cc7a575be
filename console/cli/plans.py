"""`steelyard plan`: what would come of a change. Nothing is moved."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from console.cli.client import api, err, out, show
from console.cli.options import Json, Why

Drains = Annotated[list[str], typer.Option("--drain", help="A host that everything leaves; repeat for each.")]
Removes = Annotated[list[str], typer.Option("--remove", help="A host that would be gone; repeat for each.")]
Adds = Annotated[
    list[str], typer.Option("--add", help="NUMBER:HOST, so many hosts more that are like this one.")
]

_MOVES = ("kind", "name", "source", "target", "reason")
_STRANDED = ("kind", "name", "source", "reason")


def plan(
    drain: Drains = [],
    remove: Removes = [],
    add: Adds = [],
    times: Annotated[float, typer.Option("--times", help="What every load would be of now.")] = 1.0,
    policy: Annotated[str, typer.Option("--policy", help="That every load would be judged by.")] = "",
    margin: Annotated[float, typer.Option("--margin", help="A load moves for this share less.")] = 0.1,
    apply: Annotated[bool, typer.Option("--apply", help="Carry it out, where an action does.")] = False,
    reason: Why = "",
    as_json: Json = False,
) -> None:
    """What would come of a change: what moves where, what has no place. Nothing moves without --apply."""
    with api() as client:
        change = {
            "drain": drain,
            "remove": remove,
            "add": [each for item in add for each in _newcomers(client, item)],
            "times": times,
            "policy": policy,
            "margin": margin,
        }
        answer = client.post("plans/", change)
        if apply and not answer["appliable"]:
            err.print(f"Not applied: {answer['why_not']}", style="red", markup=False, highlight=False)
            raise typer.Exit(1)
        if not as_json:
            show_plan(answer)
        elif not apply:
            show(answer, True)
        if apply:
            done = client.post("plans/apply/", {"drain": drain, "reason": reason})
            if as_json:
                show(done, True)
            else:
                out.print(f"Draining: {', '.join(done['drained'])}", highlight=False, markup=False)


def show_plan(answer: dict[str, Any]) -> None:
    """The sentence, the moves, what has no place and what would stop."""
    out.print(answer["sentence"], highlight=False, markup=False, soft_wrap=True)
    if answer["moves"]:
        show(answer["moves"], False, *_MOVES)
    if answer["stranded"]:
        err.print("No place for:", style="red")
        show(answer["stranded"], False, *_STRANDED)
    for words, names in (
        ("No endpoint would be left for", answer["stops"]),
        ("Only lost hosts would be left for", answer["hangs_on_lost_hosts"]),
    ):
        if names:
            err.print(f"{words} {', '.join(names)}", style="red", markup=False, highlight=False)


def _newcomers(client: Any, item: str) -> list[dict[str, Any]]:
    """NUMBER:HOST."""
    number, colon, name = item.partition(":")
    if not colon or not (number.isascii() and number.isdecimal()) or not 1 <= int(number[:5]) <= 1000:
        raise typer.BadParameter(f"{item!r} is not NUMBER:HOST, with 1 to 1000 hosts", param_hint="--add")
    host = client.host(name)
    capacity = {line["resource"]: line["capacity"] for line in host["resources"]}
    return [
        {"name": f"new-{name}-{place}"[:63], "capacity": capacity, "labels": host["labels"]}
        for place in range(1, int(number) + 1)
    ]
