"""The commands, by the thing they are about. Each is one call of the API, and says the same with --json."""

from __future__ import annotations

import asyncio

import typer

from console.cli import (
    alerts,
    bulk,
    certificates,
    demo,
    engines,
    hosts,
    jobs,
    people,
    placements,
    plans,
    policies,
    pools,
    preferences,
    queue,
    rebalances,
    services,
    shards,
    templates,
    tokens,
)
from console.cli.chain import chain
from console.cli.client import api, out, show
from console.cli.options import Json
from console.cli.search import search
from console.cli.underway import underway

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    help="Steelyard: one balancer for every kind of load.",
    # Plain text: what is wrong stays on one line, for people and for whatever reads their logs.
    rich_markup_mode=None,
)
for _name, _group in {
    "host": hosts,
    "service": services,
    "engine": engines,
    "place": placements,
    "job": jobs,
    "template": templates,
    "tenant": queue,
    "shard": shards,
    "storage-pool": pools,
    "rebalance": rebalances,
    "alert": alerts,
    "policy": policies,
    "person": people,
    "token": tokens,
    "certificate": certificates,
    "bulk": bulk,
    "demo": demo,
    "preference": preferences,
}.items():
    app.add_typer(_group.app, name=_name)
app.add_typer(certificates.keys, name="api-key")
app.add_typer(queue.schedules, name="schedule")
app.command()(chain)
app.command()(search)
app.command()(underway)
app.add_typer(alerts.channels, name="channel")
app.command("plan")(plans.plan)


@app.command()
def up() -> None:
    """Start everything on this machine and keep it running until Ctrl-C."""
    from console.supervisor.up import run  # only this command needs the supervisor

    raise typer.Exit(asyncio.run(run()))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def envoy(context: typer.Context) -> None:
    """One Envoy and its relay on this machine, for a controller here or elsewhere (see envoy --help)."""
    from console.engines.envoy.__main__ import main  # only this command needs the engine

    raise typer.Exit(main(context.args))


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
