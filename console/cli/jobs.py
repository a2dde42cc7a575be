"""`steelyard job ...`"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import typer

from console.cli.client import api, out, show
from console.cli.options import Json, Labels, Policy, amounts, known_id, pairs

app = typer.Typer(no_args_is_help=True, help="Jobs: Celery tasks on the host that has room.")

SHOWN = ("id", "state", "host", "waiting_for")

Needed = Annotated[
    list[str], typer.Option("--demand", "-d", help="What one run needs; left out: as learned from past runs.")
]
Tenant = Annotated[str, typer.Option(help="Whose it is.")]
Priority = Annotated[int, typer.Option(help="Of a tenant's jobs the highest goes first.")]
Tries = Annotated[int, typer.Option(help="How often its body may run and fail.")]
Deadline = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z"], help="For instance 2030-01-31T12:00:00+0000."),
]
Preemptible = Annotated[
    bool,
    typer.Option("--preemptible", help="Jobs of a higher priority may take its room; it then begins anew."),
]
SecondCopy = Annotated[
    bool,
    typer.Option("--second-copy", help="A run that takes long may be run on another host beside itself."),
]
After = Annotated[list[str], typer.Option(help="A job that must have succeeded before; repeat for each.")]


@app.command("run")
def job_run(
    task: str,
    demand: Needed = [],
    arg: Annotated[list[str], typer.Option(help="A positional argument of the task; repeat for each.")] = [],
    label: Labels = [],
    policy: Policy = "",
    tenant: Tenant = "default",
    priority: Priority = 0,
    tries: Tries = 1,
    preemptible: Preemptible = False,
    second_copy: SecondCopy = False,
    deadline: Deadline = None,
    after: After = [],
    as_json: Json = False,
) -> None:
    """Hand in one Celery task; it runs on the host that the core chooses."""
    job = _job(task, demand, label, policy, tenant, priority, tries, preemptible, second_copy)
    job |= {"args": arg, "after": [known_id(each, "job") for each in after]}
    job |= {"deadline": deadline.isoformat()} if deadline else {}
    with api() as client:
        answer = client.post("jobs/", job)
    show(answer, as_json, *SHOWN)


@app.command("array")
def job_array(
    task: str,
    each: Annotated[
        list[str], typer.Option(help="One job's positional arguments as JSON; repeat for each job.")
    ],
    demand: Needed = [],
    label: Labels = [],
    policy: Policy = "",
    tenant: Tenant = "default",
    priority: Priority = 0,
    tries: Tries = 1,
    preemptible: Preemptible = False,
    second_copy: SecondCopy = False,
    as_json: Json = False,
) -> None:
    """Hand in many of one task, all or none; they share an array's id."""
    one = _job(task, demand, label, policy, tenant, priority, tries, preemptible, second_copy)
    body = {"array": True, "jobs": [{**one, "args": _arguments(args)} for args in each]}
    with api() as client:
        show(client.post("jobs/many/", body), as_json, "id", "array", "position", "state", "host")


@app.command("list")
def job_list(
    state: Annotated[str, typer.Option(help="Only those in this state.")] = "",
    tenant: Annotated[str, typer.Option(help="Only this tenant's.")] = "",
    as_json: Json = False,
) -> None:
    """The newest jobs."""
    with api() as client:
        jobs = client.get("jobs/", state=state or None, tenant=tenant or None)["results"]
    show(jobs, as_json, "id", "task", "tenant", "state", "host", "attempt", "error")


@app.command("show")
def job_show(job: str, as_json: Json = False) -> None:
    """One job: where it is, what stands before it, how far it is."""
    with api() as client:
        answer = client.get(f"jobs/{known_id(job, 'job')}/")
    if as_json:
        show(answer, as_json)
        return
    show(answer, as_json, "id", "task", "tenant", "state", "host", "attempt", "progress", "note")
    left = [
        f"Attempt {each['attempt']} on {each['host']} was {each['reason']}" for each in answer["preempted"]
    ]
    left += [f"For it, {each['job']} left {each['host']}." for each in answer["preempted_others"]]
    left += [f"Second copy on {each['host']}: {each['why']} {each['outcome']}" for each in answer["copies"]]
    for said in (*left, answer["waiting_for"], (answer["turn"] or {}).get("sentence"), answer["error"]):
        if said:
            out.print(said, markup=False, highlight=False)


@app.command("log")
def job_log(job: str, as_json: Json = False) -> None:
    """The last lines that the job's body logged."""
    with api() as client:
        answer = client.get(f"jobs/{known_id(job, 'job')}/log/")
    if as_json:
        show(answer, as_json)
    else:
        out.print(answer["text"], markup=False, highlight=False, end="")


@app.command("cancel")
def job_cancel(job: str, as_json: Json = False) -> None:
    """End a job that has not ended."""
    with api() as client:
        answer = client.post(f"jobs/{known_id(job, 'job')}/cancel/")
    show(answer, as_json, "id", "state")


@app.command("workers")
def job_workers(as_json: Json = False) -> None:
    """Each host's workers, those that need somebody first: what they run, and what became of it lately."""
    with api() as client:
        found = client.get("workers/")
    if not as_json:
        for each in found:
            watched = each["watched"]
            each |= {"starts": watched["starts"], "why": watched["why"]} if watched else {}
    show(found, as_json, "host", "state", "running", "sent", "succeeded", "failed", "starts", "why")


@app.command("tasks")
def job_tasks(as_json: Json = False) -> None:
    """What each task's runs were seen to use."""
    with api() as client:
        show(
            client.get("task-profiles/"), as_json, "task", "demand", "runs", "seconds", "late_s", "learned_at"
        )


def _job(
    task: str,
    demand: list[str],
    label: list[str],
    policy: str,
    tenant: str,
    priority: int,
    tries: int,
    preemptible: bool,
    second_copy: bool,
) -> dict[str, Any]:
    return {
        "task": task,
        "demand": amounts(demand),
        "labels": pairs(label, "--label"),
        "policy": policy,
        "tenant": tenant,
        "priority": priority,
        "tries": tries,
        "preemptible": preemptible,
        "second_copy": second_copy,
    }


def _arguments(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no JSON: {error}", param_hint="--each") from None
    return found if isinstance(found, list) else [found]
