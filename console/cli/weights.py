"""`steelyard service weights`: of a service's endpoints, and between services."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from clients.rest import Steelyard
from console.cli.client import api, err, show
from console.cli.options import Json, Why, pairs
from console.cli.settings import say_settings


def service_weights(
    name: str,
    weights: Annotated[
        list[str],
        typer.Argument(
            help="HOST:PORT=PERCENT: leave so much of an endpoint's learnt weight; zone:a=PERCENT or "
            "priority:1=PERCENT: of all on hosts with that label, or of that priority; or SERVICE=WEIGHT, for instance "
            "web=95 canary=5: share the requests between services. None: show what is."
        ),
    ] = [],
    route: Annotated[
        str, typer.Option(help="Of services: of this route, by its name; else of what no route takes.")
    ] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take back the last change of endpoints.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Of endpoints: only say what it would come to.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Of endpoints: though the others could not carry it.")
    ] = False,
    reason: Why = "",
    as_json: Json = False,
) -> None:
    """The weights of a service's endpoints, and of the services that it leads to."""
    wanted = {key: _whole(key, text) for key, text in pairs(weights, "WEIGHTS").items()}
    endpoints = {key: percent for key, percent in wanted.items() if ":" in key}
    of_services = {key: weight for key, weight in wanted.items() if key not in endpoints}
    if endpoints and of_services:
        raise typer.BadParameter("endpoints (HOST:PORT) or services, not both", param_hint="WEIGHTS")
    if of_services and (undo or dry_run or force or reason):
        raise typer.BadParameter(
            "go with endpoints (HOST:PORT)", param_hint="--undo, --dry-run, --force, --reason"
        )
    if undo and (endpoints or dry_run):
        raise typer.BadParameter("goes alone", param_hint="--undo")
    with api() as client:
        if of_services:
            say_settings(_shared(client, name, of_services, route), as_json)
            return
        path = f"services/{name}"
        if undo:
            answer = client.post(f"{path}/undo-weights/", {"force": force, "reason": reason})
        elif endpoints and dry_run:
            tried = client.post(f"{path}/weights/try/", {"weights": endpoints})
            _say_tried(tried, as_json)
            return
        elif endpoints:
            asked = {"weights": endpoints, "force": force, "reason": reason}
            answer = client.post(f"{path}/weights/", asked)
        else:
            answer = client.get(f"{path}/weights/")
    rows = answer if as_json else answer["endpoints"]
    show(rows, as_json, "endpoint", "percent", "weight", "asked", "got", "capacity_per_s", "trust", "reason")


def _shared(client: Steelyard, name: str, wanted: dict[str, int], route: str) -> Any:
    """Canaries, blue and green: the settings after the requests are shared so."""
    path = f"services/{name}/settings/"
    destinations = [{"service": to, "weight": weight} for to, weight in wanted.items()]
    if not route:
        return client.patch(path, {"http": {"destinations": destinations}})
    routes = client.get(path).get("http", {}).get("routes", [])
    if route not in [each.get("name") for each in routes]:
        raise typer.BadParameter(f"{name} has no route of that name", param_hint="--route")
    changed = [
        {**each, "destinations": destinations} if each.get("name") == route else each for each in routes
    ]
    return client.patch(path, {"http": {"routes": changed}})


def _say_tried(answer: dict[str, Any], as_json: bool) -> None:
    show(
        answer if as_json else answer["endpoints"],
        as_json,
        "endpoint",
        "percent",
        "share_before",
        "share",
        "use",
    )
    for sentence in () if as_json else (*answer["objections"], *answer["notes"]):
        err.print(sentence, markup=False, highlight=False)


def _whole(service: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise typer.BadParameter(f"{service}={text}: a weight is a whole number", param_hint="WEIGHTS")
    return int(text)
