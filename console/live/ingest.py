"""What of an agent's report is believed.

A report is taken whole or refused whole: a host with one impossible figure has a broken sampler, and half a
report would mix old and new. Nothing is clamped in silence. Whether figures are believable is the core's
judgement (Cluster.report); whether the report is this connection's to send is judged here.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from agents.wire import LONGEST_WHY, Quota, Report, Worker
from balancer_core.cluster import Cluster
from balancer_core.errors import InvalidInput
from balancer_core.resources import MAX_RESOURCES, Dimensions
from console.live.parts import fault_of
from console.live.picture import Picture, extra

MOST_CORES = 1e6
#: Of processes, of starts and of seconds.
MOST_TOLD = 1e12
#: The kernel's own bound.
LONGEST_PERIOD_S = 1.0

refused = Counter[str]()  # by code, since this process started


@dataclass(frozen=True)
class Refusal:
    """Why a report was not taken. field: dotted path of the value at fault."""

    code: str
    field: str
    reason: str


def refuse(fault: Refusal) -> Refusal:
    """Count it."""
    refused[fault.code] += 1
    return fault


def take(picture: Picture, host: str, last_seq: int, report: Report) -> Refusal | None:
    """Put a report of host into the picture; None, or why it was not taken. Refusals are counted.

    last_seq: the last sequence number that was taken on this connection.
    A capacity that the report carries is not written here: see check_capacity_report.
    """
    if fault := _ours(host, last_seq, report):
        return refuse(fault)
    try:
        told = (report.parts, report.quota, report.worker)
        picture.report(host, report.used, time.monotonic(), *told)
    except InvalidInput as error:
        return refuse(Refusal(error.code, error.field, error.reason))
    return None


def check_capacity_report(picture: Picture, host: str, last_seq: int, report: Report) -> Refusal | None:
    """Judge a report that brings a new capacity, before that is written: None, or why it is not taken.

    Its figures are judged against its own capacity, as they will be once that is in force.
    """
    if fault := _ours(host, last_seq, report):
        return refuse(fault)
    known = {resource.name: resource for resource in picture.view()[0].dimensions.resources}
    more = [extra(name) for name in report.capacity or {} if name not in known]
    try:
        trial = Cluster(Dimensions((*known.values(), *more[: MAX_RESOURCES - len(known)])))
        trial.add_host(host, report.capacity)
        trial.report(host, report.used, 0.0)
    except InvalidInput as error:
        return refuse(Refusal(error.code, error.field, error.reason))
    return None


def _ours(host: str, last_seq: int, report: Report) -> Refusal | None:
    if report.host != host:
        return Refusal(
            "other_host", "host", f"this connection belongs to {host}, the report to {report.host[:80]!r}."
        )
    if report.seq <= last_seq:
        return Refusal("replayed", "seq", f"{report.seq} came after {last_seq}.")
    if report.parts is not None and (wrong := fault_of(report.parts)):
        return Refusal(wrong.code, wrong.field, wrong.reason)
    if report.quota is not None and (unlikely := _unlikely(report.quota)):
        return Refusal("impossible", unlikely, "it is above 0, and not more than any machine or kernel has.")
    if report.worker is not None and (field := _wrong_in(report.worker)):
        return Refusal("impossible", field, f"it is from 0, or a text of at most {LONGEST_WHY} characters.")
    return None


def _wrong_in(worker: Worker) -> str:
    """The field of a worker that cannot be; "" where all can."""
    for field in ("running_s", "processes", "starts"):
        amount = getattr(worker, field)
        if amount is not None and not 0.0 <= amount <= MOST_TOLD:
            return f"worker.{field}"
    return "" if len(worker.why) <= LONGEST_WHY and worker.why.isprintable() else "worker.why"


def _unlikely(quota: Quota) -> str:
    """The field of a quota that cannot be; "" where all can."""
    if not 0.0 < quota.cores <= MOST_CORES:
        return "quota.cores"
    return "" if 0.0 < quota.period_s <= LONGEST_PERIOD_S else "quota.period_s"
