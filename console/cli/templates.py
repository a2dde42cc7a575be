"""`steelyard template ...`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from console.cli.client import api, out, show
from console.cli.jobs import SHOWN, Needed, Priority, Tenant, Tries
from console.cli.options import Demand, Json, Labels, Policy, Why, amounts, pairs, read_text

app = typer.Typer(no_args_is_help=True, help="Processes that agents may run for jobs.")


@app.command("list")
def template_list(as_json: Json = False) -> None:
    """All of them."""
    with api() as client:
        show(client.get("process-templates/"), as_json, "name", "demand", "changed_at")


@app.command("show")
def template_show(name: str, as_json: Json = False) -> None:
    """One of them, and the line by which a host allows it."""
    with api() as client:
        answer = client.get(f"process-templates/{name}/")
    if as_json:
        show(answer, as_json)
        return
    out.print(json.dumps(answer["template"], indent=1), markup=False, highlight=False)
    out.print(answer["line"], markup=False, highlight=False, soft_wrap=True)


@app.command("put")
def template_put(
    name: str,
    file: Annotated[Path, typer.Option(help="The template as JSON: argv, parameters, user, timeout_s ...")],
    demand: Demand = [],
    reason: Why = "",
    as_json: Json = False,
) -> None:
    """Keep a template, and say the line by which hosts allow it."""
    try:
        template = json.loads(read_text(file, "--file"))
    except ValueError as error:
        raise typer.BadParameter(f"{file} is no JSON: {error}", param_hint="--file") from None
    body = {"template": template, "demand": amounts(demand), "reason": reason}
    with api() as client:
        answer = client.put(f"process-templates/{name}/", body)
    if as_json:
        show(answer, as_json)
    else:
        out.print(answer["line"], markup=False, highlight=False, soft_wrap=True)


@app.command("remove")
def template_remove(name: str) -> None:
    """Let nothing more be run by it."""
    with api() as client:
        client.delete(f"process-templates/{name}/")


@app.command("run")
def template_run(
    name: str,
    parameter: Annotated[
        list[str], typer.Option("--parameter", "-p", help="NAME=VALUE; repeat for each.")
    ] = [],
    demand: Needed = [],
    label: Labels = [],
    policy: Policy = "",
    tenant: Tenant = "default",
    priority: Priority = 0,
    tries: Tries = 1,
    as_json: Json = False,
) -> None:
    """Hand in a job that runs it on the host that the core chooses."""
    job = {"template": name, "demand": amounts(demand), "labels": pairs(label, "--label"), "policy": policy}
    job |= {"tenant": tenant, "priority": priority, "tries": tries}
    with api() as client:
        kinds = client.get(f"process-templates/{name}/")["template"].get("parameters", {})
        said = pairs(parameter, "--parameter")
        job["parameters"] = {
            each: _value(kinds.get(each, {}).get("type"), text) for each, text in said.items()
        }
        answer = client.post("jobs/", job)
    show(answer, as_json, *SHOWN)


def _value(kind: str | None, text: str) -> Any:
    """As the parameter's type has it; what can't be is for the server to refuse."""
    try:
        return {"integer": int, "number": float}.get(kind or "", str)(text)
    except ValueError:
        return text
