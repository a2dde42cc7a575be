"""The commands. Each is one call of the API, and says the same with --json."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from balancer_core.errors import InvalidInput
from balancer_core.resources import STANDARD, parse_amount
from console.cli.client import api, err, out, show

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    help="Steelyard: one balancer for every kind of load.",
    # Plain text: what is wrong stays on one line, for people and for whatever reads their logs.
    rich_markup_mode=None,
)
host_app = typer.Typer(no_args_is_help=True, help="Hosts: join, cordon, drain.")
service_app = typer.Typer(no_args_is_help=True, help="Services: one address for many servers.")
place_app = typer.Typer(no_args_is_help=True, help="Ask where a load goes, and reserve it there.")
job_app = typer.Typer(no_args_is_help=True, help="Jobs: Celery tasks on the host that has room.")
shard_app = typer.Typer(no_args_is_help=True, help="Shards: file trees kept on hosts of different failure domains.")
token_app = typer.Typer(no_args_is_help=True, help="API tokens.")
for name, group in {
    "host": host_app,
    "service": service_app,
    "place": place_app,
    "job": job_app,
    "shard": shard_app,
    "token": token_app,
}.items():
    app.add_typer(group, name=name)

Json = Annotated[bool, typer.Option("--json", help="Print the API's answer.")]
Why = Annotated[str, typer.Option("--reason", help="For the audit trail.")]
Demand = Annotated[list[str], typer.Option("--demand", "-d", help="RESOURCE=AMOUNT, for instance cpu=0.5 or memory=2Gi.")]
Labels = Annotated[list[str], typer.Option("--label", "-l", help="KEY=VALUE that the host must carry.")]
Policy = Annotated[str, typer.Option("--policy", help="How to choose.")]

_UNITS = {resource.name: resource.unit for resource in STANDARD}


def pairs(items: list[str], option: str) -> dict[str, str]:
    """KEY=VALUE options as a mapping; anything else ends the command naming the option."""
    found = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{item!r} is not KEY=VALUE", param_hint=option)
        found[key] = value
    return found


def amounts(items: list[str], option: str = "--demand") -> dict[str, float]:
    """RESOURCE=AMOUNT options in base units."""
    found = {}
    for resource, text in pairs(items, option).items():
        try:
            found[resource] = parse_amount(text, _UNITS.get(resource, ""), resource)
        except InvalidInput as error:
            raise typer.BadParameter(str(error), param_hint=option) from None
    return found


@app.command()
def up() -> None:
    """Start everything on this machine and keep it running until Ctrl-C."""
    from console.cli.up import run  # only this command needs the supervisor

    raise typer.Exit(asyncio.run(run()))


@app.command()
def status(as_json: Json = False) -> None:
    """The whole in one page of numbers."""
    with api() as client:
        answer = client.get("status/")
    if as_json:
        show(answer, True)
        return
    for key, value in answer.items():
        out.print(f"{key.replace('_', ' '):>16}  {value}", highlight=False)


# -- hosts -------------------------------------------------------------------------------------


@host_app.command("list")
def host_list(as_json: Json = False) -> None:
    """The hosts and what of them is free."""
    with api() as client:
        hosts = client.get("hosts/", limit=1000)["results"]
    if not as_json:
        for host in hosts:
            host["state"] = "lost" if host["lost"] else host["state"]
            for line in host["resources"]:
                used = "?" if line["used"] is None else f"{line['used'] / (line['capacity'] or 1):.0%}"
                host[line["resource"]] = f"{used} used, {line['reserved'] / (line['capacity'] or 1):.0%} reserved"
    show(hosts, as_json, "name", "address", "state", "labels", "cpu", "memory", "disk")


@host_app.command("token")
def host_token(
    name: Annotated[str, typer.Option(help="Only a host of this name may use it.")] = "",
    life: Annotated[int, typer.Option(help="Seconds it stays open.")] = 900,
    as_json: Json = False,
) -> None:
    """A single-use token with which one agent joins."""
    with api() as client:
        answer = client.post("host-tokens/", {"host_name": name, "life_s": life})
    if as_json:
        show(answer, True)
    else:
        typer.echo(answer["token"])
        err.print(f"On the host:  steelyard-agent join {client.url} --token {answer['token']}", highlight=False)


def _host_verb(verb: str, name: str, reason: str, as_json: bool) -> None:
    with api() as client:
        answer = client.post(f"hosts/{name}/{verb}/", {"reason": reason})
    if answer is None:
        answer = {"name": name, "state": "removed"}
    show(answer, as_json, "name", "address", "state")


@host_app.command("cordon")
def host_cordon(name: str, reason: Why = "", as_json: Json = False) -> None:
    """Nothing new comes to this host."""
    _host_verb("cordon", name, reason, as_json)


@host_app.command("uncordon")
def host_uncordon(name: str, reason: Why = "", as_json: Json = False) -> None:
    """This host takes new load again."""
    _host_verb("uncordon", name, reason, as_json)


@host_app.command("drain")
def host_drain(name: str, reason: Why = "", as_json: Json = False) -> None:
    """Nothing new comes, and its traffic goes elsewhere."""
    _host_verb("drain", name, reason, as_json)


@host_app.command("remove")
def host_remove(name: str, reason: Why = "", as_json: Json = False) -> None:
    """Forget a host that holds nothing any more."""
    _host_verb("remove", name, reason, as_json)


# -- services ----------------------------------------------------------------------------------


@service_app.command("list")
def service_list(as_json: Json = False) -> None:
    """The services and where they listen."""
    with api() as client:
        services = client.get("services/", limit=1000)["results"]
    if not as_json:
        for service in services:
            service["listen"] = f"{service['listen_address']}:{service['listen_port']}"
            service["endpoints"] = [f"{each['host']}:{each['port']}" for each in service["endpoints"]]
    show(services, as_json, "name", "protocol", "listen", "endpoints")


@service_app.command("create")
def service_create(
    name: str,
    listen: Annotated[str, typer.Option(help="ADDR:PORT")],
    protocol: Annotated[str, typer.Option(help="http, tcp or udp")],
    endpoint: Annotated[list[str], typer.Option(help="HOST:PORT; repeat for each.")],
    as_json: Json = False,
) -> None:
    """One address for many servers."""
    with api() as client:
        answer = client.post(
            "services/", {"name": name, "listen": listen, "protocol": protocol, "endpoints": endpoint}
        )
    show(answer, as_json, "name", "protocol", "listen_address", "listen_port")


@service_app.command("show")
def service_show(name: str, as_json: Json = False) -> None:
    """A service's endpoints: share, weight and why."""
    with api() as client:
        answer = client.get(f"services/{name}/")
    if as_json:
        show(answer, True)
        return
    rows = [{**each, **(each["engine"] or {}), "state": each["state"]} for each in answer["endpoints"]]
    show(rows, False, "host", "port", "state", "health", "weight", "share", "rate_per_s", "reason")


@service_app.command("remove")
def service_remove(name: str, as_json: Json = False) -> None:
    """Close the address."""
    with api() as client:
        client.delete(f"services/{name}/")
    show({"name": name, "state": "removed"}, as_json, "name", "state")


def _endpoint_verb(verb: str, name: str, endpoint: str, as_json: bool) -> None:
    with api() as client:
        answer = client.post(f"services/{name}/{verb}-endpoint/", {"endpoint": endpoint})
    rows = answer if as_json else answer["endpoints"]
    show(rows, as_json, "host", "port", "state")


@service_app.command("add")
def service_add(name: str, endpoint: str, as_json: Json = False) -> None:
    """Add the endpoint HOST:PORT."""
    _endpoint_verb("add", name, endpoint, as_json)


@service_app.command("drop")
def service_drop(name: str, endpoint: str, as_json: Json = False) -> None:
    """Take the endpoint HOST:PORT away."""
    _endpoint_verb("remove", name, endpoint, as_json)


@service_app.command("drain")
def service_drain(name: str, endpoint: str, as_json: Json = False) -> None:
    """No new requests for the endpoint HOST:PORT."""
    _endpoint_verb("drain", name, endpoint, as_json)


@service_app.command("resume")
def service_resume(name: str, endpoint: str, as_json: Json = False) -> None:
    """Requests for the endpoint HOST:PORT again."""
    _endpoint_verb("resume", name, endpoint, as_json)


# -- placements --------------------------------------------------------------------------------


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


@place_app.command("job")
def place_job(
    name: str, demand: Demand, label: Labels = [], policy: Policy = "spread", as_json: Json = False  # noqa: B006
) -> None:
    """A place for a job that you run yourself (`steelyard job run` runs one)."""
    _place("job", name, demand, label, policy, as_json)


@place_app.command("shard")
def place_shard(
    name: str, demand: Demand, label: Labels = [], policy: Policy = "spread", as_json: Json = False  # noqa: B006
) -> None:
    """A place for data that you copy yourself (`steelyard shard create` copies it)."""
    _place("shard", name, demand, label, policy, as_json)


@place_app.command("service")
def place_service(
    name: str, demand: Demand, label: Labels = [], policy: Policy = "spread", as_json: Json = False  # noqa: B006
) -> None:
    """A place for one instance of a service."""
    _place("service", name, demand, label, policy, as_json)


@place_app.command("release")
def place_release(placement: str, as_json: Json = False) -> None:
    """Give a placement's amounts back."""
    with api() as client:
        answer = client.post(f"placements/{placement}/release/")
    show(answer, as_json, "id", "host", "state")


@place_app.command("why")
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


# -- jobs and shards ---------------------------------------------------------------------------


@job_app.command("run")
def job_run(
    task: str,
    demand: Demand,
    arg: Annotated[list[str], typer.Option(help="A positional argument of the task; repeat for each.")] = [],  # noqa: B006
    label: Labels = [],  # noqa: B006
    policy: Policy = "spread",
    as_json: Json = False,
) -> None:
    """Hand in one Celery task; it runs on the host that the core chooses."""
    job = {
        "task": task,
        "args": arg,
        "demand": amounts(demand),
        "labels": pairs(label, "--label"),
        "policy": policy,
    }
    with api() as client:
        answer = client.post("jobs/", job)
    show(answer, as_json, "id", "state", "host", "waiting_for")


@job_app.command("list")
def job_list(as_json: Json = False) -> None:
    """The newest jobs."""
    with api() as client:
        jobs = client.get("jobs/")["results"]
    show(jobs, as_json, "id", "task", "state", "host", "attempt", "error")


@job_app.command("cancel")
def job_cancel(job: str, as_json: Json = False) -> None:
    """End a job that has not ended."""
    with api() as client:
        answer = client.post(f"jobs/{job}/cancel/")
    show(answer, as_json, "id", "state")


@shard_app.command("create")
def shard_create(
    name: str,
    size: Annotated[str, typer.Option(help="What one replica takes on disk, for instance 2Gi.")],
    source: Annotated[str, typer.Option(help="HOST:PATH in the import folder of that host's agent.")],
    replicas: Annotated[int, typer.Option()] = 2,
    spread: Annotated[str, typer.Option(help='A label that no two replicas share, or "host".')] = "host",
    as_json: Json = False,
) -> None:
    """Place a shard's replicas and copy them there."""
    host, colon, path = source.partition(":")
    if not colon:
        raise typer.BadParameter("HOST:PATH is needed", param_hint="--source")
    shard = {
        "name": name,
        "bytes": round(amounts([f"disk={size}"], "--size")["disk"]),
        "source_host": host,
        "source_path": path,
        "replicas": replicas,
        "spread": spread,
    }
    with api() as client:
        answer = client.post("shards/", shard)
    _show_shards([answer], answer, as_json)


@shard_app.command("list")
def shard_list(as_json: Json = False) -> None:
    """The shards and how far their copies are."""
    with api() as client:
        shards = client.get("shards/", limit=1000)["results"]
    _show_shards(shards, shards, as_json)


def _show_shards(shards: list[dict[str, Any]], answer: Any, as_json: bool) -> None:
    rows = answer if as_json else [
        {**shard, "replicas": [f"{each['host']} {each['state']}" for each in shard["replicas"]]} for shard in shards
    ]
    show(rows, as_json, "name", "bytes", "spread_level", "replicas")


@shard_app.command("remove")
def shard_remove(name: str, as_json: Json = False) -> None:
    """Give up a shard; its hosts delete their copies."""
    with api() as client:
        client.delete(f"shards/{name}/")
    show({"name": name, "state": "removed"}, as_json, "name", "state")


# -- tokens ------------------------------------------------------------------------------------


@token_app.command("create")
def token_create(
    username: str,
    role: Annotated[str, typer.Option(help="viewer, operator or admin, for a new account")] = "",
    days: Annotated[int, typer.Option()] = 90,
    as_json: Json = False,
) -> None:
    """An API token for a person or a program; shown this once."""
    with api() as client:
        answer = client.post("tokens/", {"username": username, "role": role, "days": days} if role else
                             {"username": username, "days": days})
    if as_json:
        show(answer, True)
    else:
        typer.echo(answer["token"])


@token_app.command("list")
def token_list(as_json: Json = False) -> None:
    """All tokens, without their secrets."""
    with api() as client:
        tokens = client.get("tokens/")
    show(tokens, as_json, "key", "username", "role", "expiry")


@token_app.command("revoke")
def token_revoke(key: str, as_json: Json = False) -> None:
    """End a token at once."""
    with api() as client:
        client.delete(f"tokens/{key}/")
    show({"key": key, "state": "revoked"}, as_json, "key", "state")
