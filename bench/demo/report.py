"""What the demo prints, and what must be true of it."""

from __future__ import annotations

from itertools import pairwise

from rich.console import Console
from rich.table import Table

from bench.demo.hosts import DemoHost
from bench.demo.work import BURN_MS, LEAST_JOBS, LEAST_REQUESTS, LEAST_SHARDS, REPLICAS, Outcome

#: By how much a slower host's share of the traffic may be above a faster one's: shares are noisy in a short run.
SHARE_POINTS = 0.03


def print_outcome(outcome: Outcome, hosts: list[DemoHost]) -> None:
    """The summary, for people."""
    traffic = outcome.traffic
    out = Console(highlight=False)
    table = Table(box=None, pad_edge=False, title="What happened", title_justify="left")
    for heading in ("host", "cores", "capacity", "traffic", "jobs"):
        table.add_column(heading, justify="left" if heading == "host" else "right")
    total = sum(host.host.spec.cores for host in hosts)
    for host in hosts:
        cores = host.host.spec.cores
        table.add_row(
            host.name,
            f"{cores:.2f}",
            f"{cores / total:.1%}",
            f"{outcome.share_before_kill.get(host.name, 0.0):.1%}",
            str(outcome.job_hosts.get(host.name, 0)),
        )
    out.print(table)
    out.print(
        f"requests  {traffic.requests}, {traffic.failures} failed {traffic.failures_by or ''}"
        f"   p50 {traffic.p50_ms:.1f} ms   p99 {traffic.p99_ms:.1f} ms"
    )
    if outcome.kill is not None:
        out.print(
            f"killed    {outcome.kill.host} after {outcome.kill.at_s:.1f} s with {outcome.kill.in_flight} requests in"
            f" flight there; {outcome.failures_after_kill} failed from then on"
        )
    out.print(f"tcp       {outcome.tcp_answers}")
    out.print(f"jobs      {outcome.jobs}")
    out.print(f"replicas  {outcome.replicas} (of {REPLICAS} a shard)")
    out.print(f"decisions {outcome.decisions}")


def judge(outcome: Outcome, hosts: list[DemoHost]) -> list[str]:
    """What should have worked and did not."""
    faults = []
    if outcome.traffic.requests < LEAST_REQUESTS:
        faults.append(f"{outcome.traffic.requests} requests were sent, {LEAST_REQUESTS} were promised")
    if (done := outcome.jobs.get("succeeded", 0)) < LEAST_JOBS or set(outcome.jobs) != {"succeeded"}:
        faults.append(f"{done} jobs succeeded, at least {LEAST_JOBS} and all should: {outcome.jobs}")
    if outcome.replicas.get("ready", 0) < LEAST_SHARDS * REPLICAS or set(outcome.replicas) != {"ready"}:
        faults.append(f"not every replica is ready: {outcome.replicas}")
    if outcome.tcp_answers.get("failed"):
        faults.append(f"TCP connections failed: {outcome.tcp_answers}")
    if outcome.kill is not None:
        if outcome.traffic.failures > outcome.kill.in_flight:
            faults.append(
                f"{outcome.traffic.failures} requests failed ({outcome.traffic.failures_by}), "
                f"{outcome.kill.in_flight} were in flight at the killed server"
            )
        if outcome.answers_after_kill:
            faults.append(f"the killed server gave {outcome.answers_after_kill} answers after its death")
    return faults + _misled(outcome, hosts)


def _misled(outcome: Outcome, hosts: list[DemoHost]) -> list[str]:
    """Requests that went where they wait longer: to the slower of two hosts, or to one that could not serve them.

    Shares need not be those of the capacity: while the fastest hosts are idle, everything is answered soonest there,
    and it is not on one that jobs keep busier than a slower one.
    """
    faults = []
    share = {host.name: outcome.share_before_kill.get(host.name, 0.0) for host in hosts}
    busy = {host.name: outcome.job_hosts.get(host.name, 0) / host.host.spec.cores for host in hosts}
    order = sorted(hosts, key=lambda host: -host.host.spec.cores)
    for fast, slow in pairwise(order):
        if share[slow.name] > share[fast.name] + SHARE_POINTS and busy[fast.name] <= busy[slow.name]:
            faults.append(
                f"{slow.name} got {share[slow.name]:.1%} of the traffic, and {fast.name}, which is faster and "
                f"no busier with jobs, {share[fast.name]:.1%}"
            )
    for host in hosts:
        needed = share[host.name] * outcome.rate_per_s * BURN_MS / 1000
        if needed > host.host.spec.cores:
            faults.append(f"{host.name} was asked for {needed:.2f} cores, and has {host.host.spec.cores:.2f}")
    return faults
