"""What runs on a host is killed in the middle of its work, and its host, jobs and shards get over it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flow import Flow
from product import Product
from test_stack_main_job import digests
from waiting import eventually

pytestmark = pytest.mark.stack


def test_agent_killed(product: Product, tmp_path: Path) -> None:
    """The host is lost and keeps its traffic; its agent comes back as the same host, its job ends once."""
    beta, flag = product.hosts["beta"], tmp_path / "go-on"
    for host in ("alpha", "gamma"):
        product.client.cordon(host)
    job = product.submit("stack.wait", str(tmp_path / "trace"), str(flag))
    eventually((tmp_path / "trace").exists)
    with Flow(product.web_url) as flow:
        beta.kill("agent")
        eventually(lambda: product.client.host("beta")["lost"], what="beta is lost")
        lost_at = len(flow.answers)
        eventually(lambda: flow.hosts(since=lost_at) == set(product.hosts))
        beta.start_agent()
        eventually(lambda: not product.client.host("beta")["lost"], what="beta is found")
    flag.touch()
    ended = product.ended(job)

    assert flow.failed == []
    assert (ended["state"], ended["attempt"], ended["host"]) == ("succeeded", 1, "beta")
    assert product.finishes(job) == 1
    assert {each["host"] for each in product.client.service("web")["endpoints"]} == set(product.hosts)
    assert product.client.hosts()["count"] == 3


def test_agent_killed_in_the_middle_of_a_copy(product: Product, tree: Callable[..., int]) -> None:
    """What it had fetched is swept, the copy begins again and becomes whole."""
    for host in ("alpha", "beta"):
        product.client.cordon(host)
    gamma = product.hosts["gamma"]
    size = tree("alpha", "interrupted", files=1500, file_bytes=6000)
    incoming = gamma.data / "shards/.incoming"
    shard = {
        "name": "interrupted",
        "bytes": size,
        "source_host": "alpha",
        "source_path": "interrupted",
        "replicas": 1,
    }
    product.client.create_shard(shard)
    eventually(lambda: any(file.is_file() for file in incoming.rglob("*.bin")), what="the copy begins")
    gamma.kill("agent")
    half = [file for file in incoming.rglob("*.bin") if file.is_file()]
    gamma.start_agent()
    replica = product.ready("interrupted")["replicas"][0]

    assert 0 < len(half) < 1500
    assert replica["host"] == "gamma"
    assert digests(gamma.shard("interrupted")) == digests(product.hosts["alpha"].imports / "interrupted")
    assert not list(incoming.iterdir())


def test_source_killed_in_the_middle_of_a_copy(product: Product, tree: Callable[..., int]) -> None:
    """The target gives the broken copy up, and fetches it anew once the source is back."""
    for host in ("beta", "alpha"):
        product.client.cordon(host)
    alpha, gamma = product.hosts["alpha"], product.hosts["gamma"]
    size = tree("alpha", "cut-off", files=1500, file_bytes=6000)
    incoming = gamma.data / "shards/.incoming"
    shard = {
        "name": "cut-off",
        "bytes": size,
        "source_host": "alpha",
        "source_path": "cut-off",
        "replicas": 1,
    }
    product.client.create_shard(shard)
    eventually(lambda: any(file.is_file() for file in incoming.rglob("*.bin")), what="the copy begins")
    alpha.kill("agent")
    alpha.start_agent()
    replica = product.ready("cut-off")["replicas"][0]

    assert replica["attempt"] >= 2
    assert digests(gamma.shard("cut-off")) == digests(alpha.imports / "cut-off")


def test_worker_killed_in_the_middle_of_a_job(product: Product, tmp_path: Path) -> None:
    """The attempt is lost at once; the second one succeeds, and the job has ended once."""
    gamma, trace, flag = product.hosts["gamma"], tmp_path / "trace", tmp_path / "go-on"
    job = product.submit("stack.wait", str(trace), str(flag), labels={"zone": "b"})
    eventually(trace.exists)
    gamma.kill("worker")
    eventually(lambda: product.client.job(job)["attempt"] == 2, what="the job is placed again")
    flag.touch()
    gamma.start_worker()
    ended = product.ended(job)

    assert (ended["state"], ended["attempt"], ended["result"]) == ("succeeded", 2, "gamma")
    assert trace.read_text().splitlines() == ["gamma", "gamma"]
    assert product.client.events(subject=job, action="job.lose")["count"] == 1
    assert product.finishes(job) == 1
    assert product.drift() == {}
