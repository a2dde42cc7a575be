"""Jobs that wait, workers that do not take them, and shards that lack copies."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Count, F, Q

from console.alerts.rules.rule import CRITICAL, Findings, Found, RuleBase
from console.alerts.sight import Sight
from console.jobs.models import Job
from console.jobs.workers import stuck_since
from console.storage.models import Replica, Shard

#: The oldest that wait; the number of the others stands in the sentence of the queue's page.
MOST_JOBS = 100
MOST_SHARDS = 500
#: A worker that has run so long since it was started again is well.
HOLDS_S = 120.0


class JobWaiting(RuleBase):
    """A job has waited for a place longer than anybody should wait."""

    NAME = "job-waiting"
    TITLE = "Job waits too long"
    SUBJECT = "job"
    UNIT = "s"
    THRESHOLD = 300.0
    EVERY_S = 5.0
    CLEAR_AFTER_S = 0.0

    def find(self, sight: Sight, level: float) -> Findings:
        old = Job.objects.filter(
            state=Job.State.QUEUED, created_at__lte=sight.at - timedelta(seconds=max(level, 0.0))
        )
        found = {}
        for job, task, created, why in old.order_by("created_at").values_list(
            "pk", "task", "created_at", "waiting_for"
        )[:MOST_JOBS]:
            waits_s = (sight.at - created).total_seconds()
            reason = f": {why}" if why else "."
            found[str(job)] = Found(waits_s, f"{task} has waited {waits_s:,.0f} s for a place{reason}"[:500])
        return Findings(found)


class JobSetAside(RuleBase):
    """A job has taken so many workers along that it is not tried any more, until somebody looks."""

    NAME = "job-set-aside"
    TITLE = "Job set aside"
    SUBJECT = "job"
    UNIT = "workers lost"
    THRESHOLD = 1.0
    EVERY_S = 5.0
    CLEAR_AFTER_S = 0.0

    def find(self, sight: Sight, level: float) -> Findings:
        aside = Job.objects.filter(state=Job.State.SET_ASIDE, losses__gte=level).order_by("created_at")
        return Findings(
            {
                str(job): Found(float(losses), f"{task}: {error}"[:500])
                for job, task, losses, error in aside.values_list("pk", "task", "losses", "error")[:MOST_JOBS]
            }
        )


class WorkersStuck(RuleBase):
    """A host's workers do not begin what they were sent: it is sent nothing more, and has room for nothing else."""

    NAME = "workers-stuck"
    TITLE = "Workers begin nothing"
    UNIT = "s"
    THRESHOLD = 30.0
    EVERY_S = 5.0

    def find(self, sight: Sight, level: float) -> Findings:
        found = {}
        for host, since in stuck_since(sight.at).items():
            waits_s = (sight.at - since).total_seconds()
            if waits_s >= level:
                sentence = f"The workers of {host} have not begun what they were sent {waits_s:,.0f} s ago."
                found[host] = Found(waits_s, sentence, sight.domain(host))
        return Findings(found, unknown=sight.silent_names)


class WorkerEnds(RuleBase):
    """The worker that a host's agent watches ends again and again."""

    NAME = "worker-ends"
    TITLE = "Worker keeps ending"
    UNIT = "starts"
    THRESHOLD = 3.0
    EVERY_S = 5.0
    #: Longer than it takes one that was started again, once, to be well.
    RAISE_AFTER_S = 180.0
    CLEAR_AFTER_S = 0.0

    def find(self, sight: Sight, level: float) -> Findings:
        found = {}
        for host, worker in sight.picture.workers().items():
            holds = worker.running_s is not None and worker.running_s >= HOLDS_S
            if worker.why and worker.starts >= level and not holds:
                sentence = (
                    f"The worker of {host} was started {worker.starts} times; the last one: {worker.why}."
                )
                found[host] = Found(float(worker.starts), sentence, sight.domain(host))
        return Findings(found, unknown=sight.silent_names)


class ShardUnderReplicated(RuleBase):
    """A shard has fewer ready copies than it shall have: the next failure may be the last."""

    NAME = "shard-under-replicated"
    TITLE = "Shard under-replicated"
    SUBJECT = "shard"
    SEVERITY = CRITICAL
    UNIT = "copies"
    THRESHOLD = 1.0
    RAISE_AFTER_S = 120.0
    CLEAR_AFTER_S = 10.0
    EVERY_S = 5.0

    def find(self, sight: Sight, level: float) -> Findings:
        well = Q(
            replicas__state=Replica.State.READY,
            replicas__placement__state="held",
            replicas__placement__host__lost_since=None,
        )
        lacking = Shard.objects.annotate(ready=Count("replicas", filter=well)).filter(
            ready__lt=F("replica_count")
        )
        found = {}
        for name, wanted, ready in lacking.order_by("name").values_list("name", "replica_count", "ready")[
            :MOST_SHARDS
        ]:
            found[name] = Found(float(wanted - ready), f"{name} has {ready} of {wanted} copies.")
        return Findings(found)
