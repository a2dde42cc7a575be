"""Jobs that fail, that take their workers along, that are cancelled in the middle, that wait for others."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from product import Product
from stack_host import StackHost
from waiting import eventually

from console.jobs.learning import LEAST_RUNS
from console.jobs.retries import MOST_LOSSES

pytestmark = pytest.mark.stack
ON_GAMMA = {"labels": {"zone": "b"}}


@pytest.fixture
def gamma(product: Product) -> Iterator[StackHost]:
    """The only host of its zone, with a worker whose processes can end without it."""
    host = product.hosts["gamma"]
    host.kill("worker")
    host.start_worker("prefork")
    host.until_working()
    yield host
    host.kill("worker")
    host.mend()


@pytest.fixture
def forking(product: Product) -> Iterator[None]:
    """Every host with a worker whose processes can end without it."""
    for host in product.hosts.values():
        host.kill("worker")
        host.start_worker("prefork")
    for host in product.hosts.values():
        host.until_working()
    yield
    for host in product.hosts.values():
        host.kill("worker")
        host.mend()


def test_a_job_that_fails_is_tried_again(product: Product, tmp_path: Path) -> None:
    """The second try succeeds, and what it said of itself is there to read."""
    trace = str(tmp_path / "trace")
    job = product.ended(product.submit("stack.flaky", trace, tries=3, backoff_s=0.1))

    assert (job["state"], job["attempt"], job["failures"]) == ("succeeded", 2, 1)
    assert (job["progress"], job["note"]) == (0.75, "nearly there")
    assert "WARNING flaky: it is back" in product.client.get(f"jobs/{job['id']}/log/")["text"]


def test_a_job_that_aborts_is_set_aside_and_others_go_on(product: Product, gamma: StackHost) -> None:
    """It takes five processes along, then waits for an operator; the worker itself stays."""
    poison = product.submit("stack.abort", **ON_GAMMA)
    others = [product.submit("stack.add", number, 1, **ON_GAMMA) for number in range(3)]

    assert {product.ended(job, 90)["state"] for job in others} == {"succeeded"}
    eventually(lambda: product.client.job(poison)["state"] == "set_aside", 120, "it is set aside")
    aside = product.client.job(poison)
    assert (aside["losses"], aside["attempt"]) == (MOST_LOSSES, MOST_LOSSES)
    assert f"lost {MOST_LOSSES} times" in aside["error"]
    assert product.client.post(f"jobs/{poison}/cancel/")["state"] == "cancelled"
    assert product.ended(product.submit("stack.add", 1, 1, **ON_GAMMA))["state"] == "succeeded"
    assert product.drift() == {}


def test_a_job_that_says_too_little_harms_itself(product: Product, gamma: StackHost) -> None:
    """It is killed for the memory that it did not say, and its loss says so; who says it is not."""
    says = {"demand": {"cpu": 0.5, "memory": 64 * 2**20}, **ON_GAMMA}
    lies = product.submit("stack.take", 400, **says)

    def reasons() -> list[str]:
        return [each["reason"] for each in product.client.events(subject_kind="job", subject=lies)["results"]]

    eventually(lambda: any("killed for more memory than the 64 MiB" in each for each in reasons()), 60)
    product.client.post(f"jobs/{lies}/cancel/")
    assert product.ended(product.submit("stack.take", 50, **says))["state"] == "succeeded"


def test_cancelling_a_job_ends_its_body(product: Product, gamma: StackHost, tmp_path: Path) -> None:
    """Its process is ended long before it would be by itself, and the worker takes the next job."""
    trace, never = tmp_path / "trace", str(tmp_path / "never")
    job = product.submit("stack.wait", str(trace), never, **ON_GAMMA)
    eventually(trace.exists)
    assert product.client.post(f"jobs/{job}/cancel/")["state"] == "cancelled"

    # There is one process: nobody else could run it.
    assert product.ended(product.submit("stack.add", 1, 1, **ON_GAMMA))["state"] == "succeeded"
    assert product.client.job(job)["state"] == "cancelled"


def test_a_job_of_a_higher_priority_takes_a_preemptible_ones_room(
    product: Product, gamma: StackHost, tmp_path: Path
) -> None:
    """The body of the one that leaves is ended on its worker, and runs anew once the other has ended; both succeed."""
    trace, done = tmp_path / "trace", tmp_path / "done"
    most = {"demand": {"cpu": 3.9}, **ON_GAMMA}
    low = product.submit("stack.wait", str(trace), str(done), preemptible=True, **most)
    eventually(trace.exists)
    high = product.submit("stack.add", 1, 2, priority=5, **most)

    # There is one process: nobody else could run it.
    assert product.ended(high)["state"] == "succeeded"
    eventually(lambda: len(trace.read_text().splitlines()) == 2, what="it runs anew")
    done.touch()
    job = product.ended(low)
    assert (job["state"], job["attempt"], job["losses"], job["failures"]) == ("succeeded", 2, 0, 0)
    assert [(each["by"], each["attempt"], each["host"]) for each in job["preempted"]] == [(high, 1, "gamma")]
    assert f"priority 5, this one {job['priority']}" in job["preempted"][0]["reason"]
    assert product.drift() == {}


@pytest.mark.usefixtures("forking")
def test_a_run_that_takes_long_is_run_beside_itself(product: Product, tmp_path: Path) -> None:
    """Once its task's runs are known. The one that ends first counts, the other is stopped; of two that end at the same
    moment one counts."""
    trace, flag, traces = tmp_path / "trace", tmp_path / "flag", tmp_path / "traces"
    trace.touch()
    flag.touch()
    for _ in range(LEAST_RUNS):
        for task, arguments in (("stack.limp", [trace]), ("stack.wait", [traces, flag])):
            product.ended(product.submit(task, *map(str, arguments)))

    def is_known() -> bool:
        profiles = {each["task"]: each["late_s"] for each in product.client.get("task-profiles/")}
        return bool(profiles.get("stack.limp") and profiles.get("stack.wait"))

    eventually(is_known, what="its runs are known")
    for each in (trace, flag, traces):
        each.unlink()

    late = product.submit("stack.limp", str(trace), second_copy=True)
    job = product.ended(late)
    (copy,) = job["copies"]
    assert (job["state"], job["attempt"], job["result"]) == ("succeeded", 2, copy["host"])
    assert copy["outcome"] == "It ended first; attempt 1 was stopped."

    racing = product.submit("stack.wait", str(traces), str(flag), second_copy=True)
    eventually(traces.exists)
    eventually(lambda: len(set(traces.read_text().split())) == 2, what="both run")
    flag.touch()
    job = product.ended(racing)
    assert (job["state"], product.finishes(racing)) == ("succeeded", 1)
    assert job["result"] == job["host"]
    # The attempt that counts is the one whose host is said, whichever of the two began its body first.
    (copy,) = job["copies"]
    assert (job["attempt"] == copy["attempt"]) == (job["result"] == copy["host"])
    # Workers whose process was ended take the next job.
    more = [product.submit("stack.add", number, 1) for number in range(6)]
    assert {product.ended(each)["state"] for each in more} == {"succeeded"}
    assert product.drift() == {}


def test_jobs_go_after_what_they_need(product: Product, tmp_path: Path) -> None:
    """Handed in at once, in the wrong order."""
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    demand = {"cpu": 0.01}
    jobs = [
        {"id": second, "task": "stack.add", "args": [2, 2], "demand": demand, "after": [first]},
        {"id": first, "task": "stack.add", "args": [1, 1], "demand": demand},
    ]
    product.client.post("jobs/many/", {"jobs": jobs})
    ends = [product.ended(job) for job in (second, first)]

    assert [job["result"]["sum"] for job in ends] == [4, 2]
    assert ends[0]["started_at"] >= ends[1]["ended_at"]
