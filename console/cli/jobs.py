"""`steelyard job ...`"""

from __future__ import annotations

from typing import Annotated

import typer

from console.cli.client import api, show
from console.cli.options import Demand, Json, Labels, Policy, amounts, known_id, pairs

app = typer.Typer(no_args_is_help=True, help="Jobs: Celery tasks on the host that has room.")


@app.command("run")
def job_run(
    task: str,
    demand: Demand,
    arg: Annotated[list[str], typer.Option(help="A positional argument of the task; repeat for each.")] = [],
    label: Labels = [],
    policy: Policy = "",
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


@app.command("list")
def job_list(as_json: Json = False) -> None:
    """The newest jobs."""
    with api() as client:
        jobs = client.get("jobs/")["results"]
    show(jobs, as_json, "id", "task", "state", "host", "attempt", "error")


@app.command("cancel")
def job_cancel(job: str, as_json: Json = False) -> None:
    """End a job that has not ended."""
    with api() as client:
        answer = client.post(f"jobs/{known_id(job, 'job')}/cancel/")
    show(answer, as_json, "id", "state")
