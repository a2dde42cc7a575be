"""`steelyard place ...`"""

from __future__ import annotations

from typing import Any

import typer

from console.cli.client import api, out, show
from console.cli.options import Demand, Json, Labels, Policy, amounts, pairs

app = typer.Typer(no_args_is_help=True, help="Ask where a load goes, and reserve it there.")


def _place(kind: str, name: str, demand: list[str], label: list[str], policy: str, as_json: bool) -> None:
    load: dict[str, Any] = {
        "kind": kind,
        "name": name,
        "demand": amounts(demand),
        "labels": pairs(label, "--label"),
        "policy": policy,
    }
    with api() as client:
        answer = client.post("placements/", load)
    show(answer, as_json, "id", "host", "address", "sentence")


@app.command("job")
def place_job(
    name: str, demand: Demand, label: Labels = [], policy: Policy = "spread", as_json: Json = False
) -> None:
    """A place for a job that you run yourself (`steelyard job run` runs one)."""
    _place("job", name, demand, label, policy, as_json)


@app.command("shard")
def place_shard(
    name: str, demand: Demand, label: Labels = [], policy: Policy = "spread", as_json: Json = False
) -> None:
    """A place for data that you copy yourself (`steelyard shard create` copies it)."""
    _place("shard", name, demand, label, policy, as_json)


@app.command("service")
def place_service(
    name: str, demand: Demand, label: Labels = [], policy: Policy = "spread", as_json: Json = False
) -> None:
    """A place for one instance of a service."""
    _place("service", name, demand, label, policy, as_json)


@app.command("release")
def place_release(placement: str, as_json: Json = False) -> None:
    """Give a placement's amounts back."""
    with api() as client:
        answer = client.post(f"placements/{placement}/release/")
    show(answer, as_json, "id", "host", "state")


@app.command("why")
def place_why(decision: str, as_json: Json = False) -> None:
    """Why a decision fell as it did."""
    with api() as client:
        answer = client.get(f"decisions/{decision}/")
    if as_json:
        show(answer, True)
        return
    out.print(answer["sentence"], highlight=False, markup=False)
    show(answer["document"]["candidates"], False, "host", "total", "margin")
    for rejection in answer["document"]["rejections"]:
        out.print(f"  not {rejection['host']}: {rejection['reason']}", highlight=False, markup=False)
