"""Jobs: the list, and one job with its attempt, its host and what became of it."""

from __future__ import annotations

import uuid

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from balancer_core.lifecycle import JOB, is_final
from console.accounts.models import Role
from console.api.views import find
from console.events.models import Event
from console.jobs.actions.ending import RETRIED, Cancel
from console.jobs.learning import SECONDS
from console.jobs.listing import JOBS
from console.jobs.models import Job
from console.jobs.standing import turn_of
from console.lists.page import listed
from console.live.picture import picture
from console.pages.frame import act, offer, page
from console.placements.models import Placement

#: Attempts of one job that its page shows, the newest.
MOST_ATTEMPTS = 20

#: The way a job goes when all is well; the stepper shows it, and what else became of it.
WAY = ("queued", "placed", "dispatched", "running", "succeeded")


@page()
def jobs(request: HttpRequest) -> HttpResponse:
    """The jobs, newest first."""
    found = JOBS.found().defer("args", "kwargs", "result")
    return render(request, "jobs/jobs.html", {**listed(request, JOBS, found), "states": Job.State.values})


@page()
def job(request: HttpRequest, job: uuid.UUID) -> HttpResponse:
    """One job."""
    found: Job = find(JOBS.found().select_related("log"), "job", pk=job)
    name = f"{found.task}/{found.pk}"
    ended = is_final(JOB, found.state)
    why_not = f"The job has {found.state}." if ended else ""
    return render(
        request,
        "jobs/job.html",
        {
            "job": found,
            "name": name,
            "turn": turn_of(found, picture.view()[0]),
            "attempts": Placement.objects.filter(name=name).select_related("host", "preempted", "copy")[
                :MOST_ATTEMPTS
            ],
            "preempted_others": found.preempted_others.select_related("job")[:MOST_ATTEMPTS],
            "needs": found.needs.select_related("needed"),
            "used": {
                resource: amount for resource, amount in (found.used or {}).items() if resource != SECONDS
            },
            "steps": steps(found.state),
            "ended": ended,
            "why_not_retried": "" if found.state in RETRIED else f"This job is {found.state}.",
            "offer": offer(request, Cancel, "cancel", "Cancel", why_not),
            "events": Event.objects.filter(subject_kind="job", subject=str(found.pk))[:20],
        },
    )


@page(Role.OPERATOR, "POST")
def cancel_job(request: HttpRequest, job: uuid.UUID) -> HttpResponse:
    """POST: end it."""
    if request.method != "POST":
        raise Http404("Cancelling is a POST.")
    act(request, Cancel(job), "The job is cancelled.")
    return redirect("job", job=job)


def steps(state: str) -> list[tuple[str, str]]:
    """(state, "done", "now" or "next") along the way; an end that is not on it takes the last place."""
    way = (
        WAY
        if state in WAY
        else ("blocked", *WAY)
        if state == "blocked"
        else (*WAY[:-1], state.replace("_", " "))
    )
    place = way.index(state.replace("_", " "))
    return [
        (each, "done" if number < place else "now" if number == place else "next")
        for number, each in enumerate(way)
    ]
