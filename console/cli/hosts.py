"""`steelyard host ...`"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli import plans
from console.cli.client import api, err, show
from console.cli.options import Json, Why
from console.fleet.spans import parse_span

app = typer.Typer(no_args_is_help=True, help="Hosts: join, cordon, drain.")


@app.command("list")
def host_list(as_json: Json = False) -> None:
    """The hosts and what of them is free."""
    with api() as client:
        hosts = client.get("hosts/", limit=1000)["results"]
    if not as_json:
        for host in hosts:
            host["state"] = "lost" if host["lost"] else host["state"]
            for line in host["resources"]:
                used = "?" if line["used"] is None else f"{line['used'] / (line['capacity'] or 1):.0%}"
                host[line["resource"]] = (
                    f"{used} used, {line['reserved'] / (line['capacity'] or 1):.0%} reserved"
                )
    show(hosts, as_json, "name", "address", "state", "labels", "cpu", "memory", "disk")


@app.command("token")
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
        err.print(
            f"On the host:  steelyard-agent join {client.url} --token {answer['token']}", highlight=False
        )


def _host_verb(verb: str, name: str, reason: str, as_json: bool) -> None:
    with api() as client:
        answer = client.post(f"hosts/{name}/{verb}/", {"reason": reason})
    if answer is None:
        answer = {"name": name, "state": "removed"}
    show(answer, as_json, "name", "address", "state")


@app.command("cordon")
def host_cordon(name: str, reason: Why = "", as_json: Json = False) -> None:
    """Nothing new comes to this host."""
    _host_verb("cordon", name, reason, as_json)


@app.command("uncordon")
def host_uncordon(name: str, reason: Why = "", as_json: Json = False) -> None:
    """This host takes new load again."""
    _host_verb("uncordon", name, reason, as_json)


@app.command("drain")
def host_drain(
    name: str,
    reason: Why = "",
    deadline: Annotated[str, typer.Option("--deadline", help="Empty by then, such as 1h30m.")] = "",
    then_end: Annotated[
        bool, typer.Option("--then-end", help="End what is left by then: jobs, connections.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come of it.")] = False,
    as_json: Json = False,
) -> None:
    """Nothing new comes, and its traffic goes elsewhere."""
    if dry_run:
        plans.plan(drain=[name], as_json=as_json)
        return
    if deadline:
        try:
            span_s = parse_span(deadline)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--deadline") from None
        with api() as client:
            asked = {"reason": reason, "deadline_s": span_s, "then_end": then_end}
            answer = client.post(f"hosts/{name}/drain/", asked)
        show(answer, as_json, "name", "address", "state")
        return
    if then_end:
        raise typer.BadParameter("goes with --deadline", param_hint="--then-end")
    _host_verb("drain", name, reason, as_json)


@app.command("remove")
def host_remove(name: str, reason: Why = "", as_json: Json = False) -> None:
    """Forget a host that holds nothing any more."""
    _host_verb("remove", name, reason, as_json)
