"""`steelyard service ...`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from console.cli.client import api, err, show
from console.cli.options import Json
from console.cli.settings import (
    read_document,
    service_configure,
    service_preview,
    service_settings,
)
from console.cli.weights import service_weights

app = typer.Typer(no_args_is_help=True, help="Services: one address for many servers.")


@app.command("list")
def service_list(as_json: Json = False) -> None:
    """The services and where they listen."""
    with api() as client:
        services = client.get("services/", limit=1000)["results"]
    if not as_json:
        for service in services:
            listens = service["listen_port"] is not None
            service["listen"] = f"{service['listen_address']}:{service['listen_port']}" if listens else "-"
            service["endpoints"] = [f"{each['host']}:{each['port']}" for each in service["endpoints"]]
            service["refused"] = sorted({each["node"] for each in service["refused"]}) or None
    show(services, as_json, "name", "protocol", "tier", "listen", "endpoints", "refused")


@app.command("create")
def service_create(
    name: str,
    protocol: Annotated[str, typer.Option(help="http, tcp or udp")],
    listen: Annotated[str, typer.Option(help="ADDR:PORT; without it, a pool for other services.")] = "",
    endpoint: Annotated[list[str], typer.Option(help="HOST:PORT; repeat for each.")] = [],
    settings: Annotated[Path | None, typer.Option(help="A file with its settings, as JSON.")] = None,
    tier: Annotated[
        str, typer.Option(help="What its servers are: web, application, cache, database.")
    ] = "other",
    as_json: Json = False,
) -> None:
    """One address for many servers."""
    asked: dict[str, Any] = {"name": name, "protocol": protocol, "endpoints": endpoint, "tier": tier}
    if listen:
        asked["listen"] = listen
    if settings is not None:
        asked["settings"] = read_document(settings, "--settings")
    with api() as client:
        answer = client.post("services/", asked)
    show(answer, as_json, "name", "protocol", "listen_address", "listen_port")


app.command("configure")(service_configure)
app.command("settings")(service_settings)
app.command("weights")(service_weights)
app.command("preview")(service_preview)


@app.command("show")
def service_show(name: str, as_json: Json = False) -> None:
    """A service's endpoints: share, weight and why."""
    with api() as client:
        answer = client.get(f"services/{name}/")
    if as_json:
        show(answer, True)
        return
    for each in answer["refused"]:
        said = f"Engine {each['node']} refuses the {each['what']}: {each['text']}"
        err.print(said, style="red", markup=False, highlight=False)
    for warning in answer["warnings"]:
        err.print(warning, markup=False, highlight=False)
    # health is the joined one; the engine's own word is in the JSON.
    rows = [{**(each["engine"] or {}), **each} for each in answer["endpoints"]]
    for row in rows:
        row["why"] = " ".join(dict.fromkeys([*row["health_reasons"], row.get("reason", "")])).strip()
    show(rows, False, "host", "port", "state", "health", "weight", "share", "rate_per_s", "why")


@app.command("tier")
def service_tier(name: str, tier: str, as_json: Json = False) -> None:
    """Say what its servers are: web, application, cache, database or other."""
    with api() as client:
        answer = client.patch(f"services/{name}/", {"tier": tier})
    show(answer, as_json, "name", "tier")


@app.command("remove")
def service_remove(name: str, as_json: Json = False) -> None:
    """Close the address."""
    with api() as client:
        client.delete(f"services/{name}/")
    show({"name": name, "state": "removed"}, as_json, "name", "state")


def _endpoint_verb(verb: str, name: str, endpoint: str, as_json: bool, **more: int) -> None:
    with api() as client:
        answer = client.post(f"services/{name}/{verb}-endpoint/", {"endpoint": endpoint, **more})
    rows = answer if as_json else answer["endpoints"]
    show(rows, as_json, "host", "port", "state")


@app.command("add")
def service_add(
    name: str,
    endpoint: str,
    priority: Annotated[int, typer.Option(help="0 is used first, 1 when too few of 0 are well, ...")] = 0,
    as_json: Json = False,
) -> None:
    """Add the endpoint HOST:PORT."""
    _endpoint_verb("add", name, endpoint, as_json, priority=priority)


@app.command("drop")
def service_drop(name: str, endpoint: str, as_json: Json = False) -> None:
    """Take the endpoint HOST:PORT away."""
    _endpoint_verb("remove", name, endpoint, as_json)


@app.command("drain")
def service_drain(name: str, endpoint: str, as_json: Json = False) -> None:
    """No new requests for the endpoint HOST:PORT."""
    _endpoint_verb("drain", name, endpoint, as_json)


@app.command("close")
def service_close(name: str, endpoint: str, as_json: Json = False) -> None:
    """Nothing for the endpoint HOST:PORT any more, without the time of a drain."""
    _endpoint_verb("close", name, endpoint, as_json)


@app.command("resume")
def service_resume(name: str, endpoint: str, as_json: Json = False) -> None:
    """Requests for the endpoint HOST:PORT again."""
    _endpoint_verb("resume", name, endpoint, as_json)
