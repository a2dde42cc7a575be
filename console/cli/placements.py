"""`steelyard place ...`"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer

from console.cli.client import api, err, out, show
from console.cli.constraints import (
    Aparts,
    Excludes,
    Group,
    Nears,
    Options,
    Pins,
    Prefers,
    Priority,
    Replicas,
    Spreads,
    Tenant,
    company,
    options,
    preferences,
    read_json,
    spreads,
)
from console.cli.options import Demand, Json, Labels, Policy, amounts, known_id, pairs

app = typer.Typer(no_args_is_help=True, help="Ask where a load goes, and reserve it there.")


_SHOWN = ("id", "host", "address", "sentence")
_KINDS = {
    "job": "A place for a job that you run yourself (`steelyard job run` runs one).",
    "shard": "A place for data that you copy yourself (`steelyard shard create` copies it).",
    "service": "A place for one instance of a service, or with --replicas for several.",
}


def _place(kind: str) -> Callable[..., None]:
    """The command that places a load of this kind."""

    def place(
        name: str,
        demand: Demand,
        label: Labels = [],
        pin: Pins = [],
        exclude: Excludes = [],
        near: Nears = [],
        apart: Aparts = [],
        prefer: Prefers = [],
        spread: Spreads = [],
        replicas: Replicas = None,
        group: Group = "",
        priority: Priority = 0,
        tenant: Tenant = "",
        policy: Policy = "",
        option: Options = [],
        as_json: Json = False,
    ) -> None:
        load = {
            "kind": kind,
            "name": name,
            "demand": amounts(demand),
            "labels": pairs(label, "--label"),
            "pin_hosts": pin,
            "exclude_hosts": exclude,
            "near": company(near, "--near"),
            "apart": company(apart, "--apart"),
            "prefer": preferences(prefer),
            "spread": spreads(spread),
            "group": group,
            "priority": priority,
            "tenant": tenant,
            "policy": policy,
            "options": options(option),
            "replicas": replicas,
        }
        with api() as client:
            answer = client.place(load)
        if replicas is None:
            show(answer, as_json, *_SHOWN)
        else:
            _show_together(answer, as_json)

    return place


for _kind, _help in _KINDS.items():
    app.command(_kind, help=_help)(_place(_kind))


@app.command("gang")
def place_gang(
    file: Annotated[
        typer.FileText, typer.Argument(help="JSON: a list of loads as the API takes them; - reads it.")
    ],
    as_json: Json = False,
) -> None:
    """Places for all loads of a file, or for none."""
    with api() as client:
        answer = client.place_gang(_loads(file))
    _show_together(answer, as_json)


@app.command("preemption")
def place_preemption(
    name: str,
    demand: Demand,
    label: Labels = [],
    pin: Pins = [],
    priority: Priority = 0,
    as_json: Json = False,
) -> None:
    """What would have to leave so that a job has room. Nothing leaves."""
    load = {
        "kind": "job",
        "name": name,
        "demand": amounts(demand),
        "labels": pairs(label, "--label"),
        "pin_hosts": pin,
        "priority": priority,
    }
    with api() as client:
        answer = client.preemption(load)
    if as_json:
        show(answer, True)
        return
    out.print(answer["sentence"], highlight=False, markup=False, soft_wrap=True)
    if answer["best"]:
        show(answer["best"]["leaving"], False, "placement", "kind", "name", "priority")


def _loads(file: typer.FileText) -> list[dict[str, Any]]:
    """The loads in a file: a list, or what the API takes, {"gang": [...]}."""
    try:
        found = read_json(file.read())
    except ValueError as error:
        raise typer.BadParameter(f"{file.name} is not JSON: {error}", param_hint="FILE") from None
    if isinstance(found, dict) and set(found) == {"gang"}:
        found = found["gang"]
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise typer.BadParameter(f"{file.name} is not a list of loads", param_hint="FILE")
    return found


def _show_together(answer: Any, as_json: bool) -> None:
    """What was placed; where that is less than was wanted the command fails, and says why."""
    show(answer if as_json else answer["placements"], as_json, "name", *_SHOWN)
    if answer["refused"]:
        placed = f"{len(answer['placements'])} of {answer['wanted']} are placed"
        err.print(f"{placed}: {answer['refused']}", style="red", markup=False, highlight=False)
        raise typer.Exit(1)


@app.command("release")
def place_release(placement: str, as_json: Json = False) -> None:
    """Give a placement's amounts back."""
    with api() as client:
        answer = client.post(f"placements/{known_id(placement, 'placement')}/release/")
    show(answer, as_json, "id", "host", "state")


@app.command("why")
def place_why(decision: str, as_json: Json = False) -> None:
    """Why a decision fell as it did."""
    with api() as client:
        answer = client.get(f"decisions/{known_id(decision, 'decision')}/")
    if as_json:
        show(answer, True)
        return
    out.print(answer["sentence"], highlight=False, markup=False)
    if together := answer["document"].get("batch"):
        out.print(together, highlight=False, markup=False)
    show(answer["document"]["candidates"], False, "host", "total", "margin")
    for key, value in (answer["asked"] or {}).items():
        out.print(f"  asked {key}: {json.dumps(value)}", highlight=False, markup=False, soft_wrap=True)
    for candidate in answer["document"]["candidates"]:
        for miss in candidate.get("unmet", ()):
            said = f"  {candidate['host']} does not meet {miss['preference']}: {miss['cost']:g}"
            out.print(said, highlight=False, markup=False, soft_wrap=True)
    if answer["preemption"]:
        out.print(f"  {answer['preemption']['sentence']}", highlight=False, markup=False, soft_wrap=True)
    for rejection in answer["document"]["rejections"]:
        reasons = [rejection["reason"], *(objection["reason"] for objection in rejection.get("also") or ())]
        out.print(f"  not {rejection['host']}: {' '.join(reasons)}", highlight=False, markup=False)
