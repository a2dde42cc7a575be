"""The main job: every kind of load goes all the way through, on the real parts."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from product import Product, refused
from waiting import eventually

from console.engines.envoy.stats import read

pytestmark = pytest.mark.stack


def test_requests_are_answered_by_all_hosts(product: Product) -> None:
    """Nobody gave a weight, and each of the three gets its part; none fails."""
    assert product.all_answer()


def test_the_console_sees_what_the_engine_does(product: Product) -> None:
    """The service's endpoints show weight, share and health as Envoy has them."""

    def seen() -> list[dict[str, Any]]:
        product.answering(60)
        endpoints = [each["engine"] for each in product.client.service("web")["endpoints"]]
        well = all(
            each and each["requests"] and each["share"] and each["health"] == "healthy" for each in endpoints
        )
        return endpoints if well else []

    endpoints = eventually(seen)

    assert len(endpoints) == 3
    assert all(each["weight"] >= 1 and each["reason"] for each in endpoints)


def test_the_tcp_service_echoes(product: Product) -> None:
    """A connection reaches a server and comes back with what was sent."""
    for number in range(10):
        with socket.create_connection((product.address, product.echo_port), timeout=10) as connection:
            line = f"line {number}\n".encode()
            connection.sendall(line)

            assert connection.makefile("rb").readline() == line


def test_a_job_runs_where_the_decision_says(product: Product) -> None:
    """Its result is the task's, and the worker of the decided host made it."""
    job = product.ended(product.submit("stack.add", 2, 3))
    decision = product.client.decision(job["decision"])

    assert job["state"] == "succeeded", job
    assert job["result"] == {"sum": 5, "host": decision["host"]}
    assert job["host"] == decision["host"]
    assert decision["host"] in decision["sentence"]


def test_jobs_with_a_label_run_only_there(product: Product) -> None:
    """Every one of them on the only host that carries it."""
    jobs = [product.submit("stack.add", number, 1, labels={"zone": "b"}) for number in range(6)]

    assert [product.ended(job)["result"]["host"] for job in jobs] == ["gamma"] * 6


def test_a_failing_task_fails_with_its_error(product: Product) -> None:
    """The job ends failed, says why, and is not run again."""
    job = product.ended(product.submit("stack.fail", "no such recording"))

    assert (job["state"], job["attempt"]) == ("failed", 1)
    assert "ValueError: no such recording" in job["error"]


def test_shards_are_copied_to_different_zones(product: Product, tree: Callable[..., int]) -> None:
    """Two replicas, ready, in two zones, and each a true copy of the source, file by file."""
    size = tree("alpha", "whole")
    shard = {"name": "whole", "bytes": size, "source_host": "alpha", "source_path": "whole", "spread": "zone"}
    product.client.create_shard({**shard, "replicas": 2})
    hosts = {each["host"] for each in product.ready("whole")["replicas"]}

    assert {product.hosts[host].labels["zone"] for host in hosts} == {"a", "b"}
    for host in hosts:
        assert digests(product.hosts[host].shard("whole")) == digests(
            product.hosts["alpha"].imports / "whole"
        )


def test_a_removed_shard_leaves_no_tree_behind(product: Product, tree: Callable[..., int]) -> None:
    """The hosts delete their copies, the room is free again, the source stays."""
    size = tree("beta", "short-lived")
    shard = {"name": "short-lived", "bytes": size, "source_host": "beta", "source_path": "short-lived"}
    product.client.create_shard({**shard, "replicas": 2})
    hosts = [each["host"] for each in product.ready("short-lived")["replicas"]]
    product.client.delete("shards/short-lived/")

    eventually(lambda: not any(product.hosts[host].shard("short-lived").exists() for host in hosts))
    assert (product.hosts["beta"].imports / "short-lived").is_dir()
    assert product.drift() == {}


def test_what_fits_nowhere_is_refused_with_a_reason_for_each_host(product: Product) -> None:
    """409, one sentence, and what is short on every host."""
    load = {"kind": "job", "name": "giant", "demand": {"cpu": 5000}}
    problem = refused(lambda: product.client.place(load))

    assert problem.status == 409
    assert {each["host"] for each in problem.hosts} == set(product.hosts)
    assert all("cpu" in each["reason"] for each in problem.hosts)


def test_a_drained_host_gets_no_new_requests(product: Product) -> None:
    """None while it is drained, its share again once it is not, and none fails in between."""
    product.client.drain("beta")
    eventually(lambda: (answered := product.answering(60)) and "beta" not in answered)
    during = product.answering(100)
    product.client.uncordon("beta")
    eventually(product.all_answer)

    assert during
    assert "beta" not in during


def test_a_dying_server_takes_only_what_it_held(product: Product) -> None:
    """Of the POSTs under way only those at the killed server fail; the next hundred GETs all succeed."""

    def post(_: int) -> tuple[int, str]:
        answer = httpx.post(f"{product.web_url}/hold?s=4", timeout=30)
        return answer.status_code, answer.json()["host"] if answer.status_code == 200 else ""

    def held() -> dict[str, int]:
        endpoints = asyncio.run(read(str(product.place.envoy_admin_socket)))["web"]
        return {
            host.name: endpoints[f"{host.address}:{host.port}"].rq_active for host in product.hosts.values()
        }

    with ThreadPoolExecutor(12) as pool:
        posts = [pool.submit(post, number) for number in range(12)]
        before = eventually(lambda: counts if sum((counts := held()).values()) == 12 else None)
        # How many each holds is the picker's affair, and it may be none: the one with the least to lose is killed.
        killed = min((name for name in before if before[name]), key=lambda name: before[name])
        product.hosts[killed].kill("server")
        gets = [httpx.get(product.web_url, timeout=30, verify=False).status_code for _ in range(100)]
        answers = [each.result() for each in posts]

    failed = [answer for answer in answers if answer[0] != 200]
    assert gets == [200] * 100
    assert len(failed) == before[killed], (before, answers)
    assert killed not in {host for status, host in answers if status == 200}


def digests(folder: Path) -> dict[str, str]:
    """Relative path to SHA-256 of every file in a tree."""
    return {
        str(file.relative_to(folder)): sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
