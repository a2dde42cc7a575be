"""Each process of the control plane is killed in the middle of its work; nothing acknowledged is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import redis
from flow import Flow
from product import Product, belongs_to
from waiting import eventually

pytestmark = pytest.mark.stack


def test_web_killed_while_placing(product: Product) -> None:
    """Every placement that was acknowledged exists, a repeat gives the same one, and the ledger adds up."""
    placed: dict[str, str] = {}
    enough = threading.Event()

    def place(part: int) -> None:
        for number in range(15):
            key = f"kill-web-{part}-{number}"
            placed[key] = eventually(lambda key=key: ask(product, key), what=key)
            if len(placed) > 20:
                enough.set()

    with ThreadPoolExecutor(4) as pool:
        parts = [pool.submit(place, part) for part in range(4)]
        assert enough.wait(60)
        pid = product.kill("web")
        for part in parts:
            part.result()
    product.until_restarted("web", pid)
    known = product.client.placements(state="held", limit=1000)["results"]

    assert len(placed) == 60
    assert set(placed.values()) <= {each["id"] for each in known}
    assert len([each for each in known if each["name"].startswith("kill-web")]) == 60
    assert {key: ask(product, key) for key in list(placed)[::5]} == {
        key: placed[key] for key in list(placed)[::5]
    }
    assert product.drift() == {}
    for placement in placed.values():
        product.client.release(placement)
    assert product.drift() == {}


def test_controller_killed(product: Product, tree: Callable[..., int], tmp_path: Path) -> None:
    """A new leader takes up queued jobs and half-made copies; no request fails meanwhile."""
    epoch, flag = product.status()["epoch"], tmp_path / "go-on"
    demand = {"cpu": 3.0}  # gamma has four: the second waits for the first
    where = {"labels": {"zone": "b"}, "demand": demand}
    first = product.submit("stack.wait", str(tmp_path / "trace"), str(flag), **where)
    eventually((tmp_path / "trace").exists)
    second = product.submit("stack.add", 1, 2, **where)
    size = tree("alpha", "survivor", files=300)
    with Flow(product.web_url) as flow:
        shard = {
            "name": "survivor",
            "bytes": size,
            "source_host": "alpha",
            "source_path": "survivor",
            "replicas": 3,
        }
        product.client.create_shard(shard)
        pid = product.kill("controller")
        waiting = product.client.job(second)
        flag.touch()
        jobs = [product.ended(job) for job in (first, second)]
        product.ready("survivor")
        product.until_restarted("controller", pid)

    assert waiting["state"] == "queued"
    assert waiting["waiting_for"]
    assert [job["state"] for job in jobs] == ["succeeded", "succeeded"]
    assert product.status()["epoch"] > epoch
    assert len(flow.answers) > 50
    assert flow.failed == []


@pytest.mark.parametrize("role", ["controller", "worker"])
def test_jobs_owed_while_a_process_is_gone(product: Product, role: str) -> None:
    """What the outbox owed while nobody sent it is sent by the next leader, the worker is not asked, and every job runs
    once."""
    pid = product.kill(role)
    jobs = [product.submit("stack.add", number, 0) for number in range(12)]
    ended = [product.ended(job) for job in jobs]
    product.until_restarted(role, pid)

    assert [job["result"]["sum"] for job in ended] == list(range(12))
    assert {job["attempt"] for job in ended} == {1}
    assert [product.finishes(job) for job in jobs] == [1] * 12


def test_broker_killed_with_jobs_in_its_queues(product: Product, tmp_path: Path) -> None:
    """Every message is gone with the broker; every job is run all the same, and ends once."""
    flag = tmp_path / "go-on"
    busy = [
        product.submit("stack.wait", str(tmp_path / label), str(flag), labels=dict([label.split("=")]))
        for label in ("disk=ssd", "zone=b")
    ]
    jobs = [product.submit("stack.add", number, 1, labels={"zone": "b"}) for number in range(5)]
    jobs += [product.submit("stack.add", number, 1, labels={"disk": "ssd"}) for number in range(5)]
    # A host that has not begun what it was sent for a while gets no more: the rest waits in the queue.
    eventually(lambda: {product.client.job(job)["state"] for job in (jobs[0], jobs[5])} == {"dispatched"})
    eventually(lambda: {product.client.job(job)["state"] for job in jobs} <= {"dispatched", "queued"})
    eventually(lambda: {product.client.job(job)["state"] for job in busy} == {"running"})
    lose_broker(product)
    flag.touch()
    ended = [product.ended(job) for job in (*jobs, *busy)]

    assert [job["state"] for job in ended] == ["succeeded"] * 12
    assert [product.finishes(job) for job in (*jobs, *busy)] == [1] * 12
    assert product.drift() == {}


def test_envoy_killed(product: Product) -> None:
    """It starts again, is given its configuration and serves by all hosts."""
    pid = product.kill("envoy")
    product.until_restarted("envoy", pid)
    eventually(product.all_answer)

    assert product.answering(100)


def test_relay_killed(product: Product) -> None:
    """Envoy goes on, is told of changes by the next relay, and no request fails."""
    envoy = product.pids()["envoy"]
    endpoint = {"endpoint": f"alpha:{product.hosts['alpha'].port}"}
    with Flow(product.web_url) as flow:
        pid = product.kill("relay")
        product.until_restarted("relay", pid)
        for verb, drains in (("drain", True), ("resume", False)):
            product.client.post(f"services/web/{verb}-endpoint/", endpoint)
            eventually(lambda drains=drains: (product.health("alpha") == "draining") == drains, what=verb)
        eventually(lambda: product.engine()["connected"])

    assert product.pids()["envoy"] == envoy
    assert len(flow.answers) > 20
    assert flow.failed == []


def test_envoy_restarted_without_control_plane(product: Product) -> None:
    """The whole control plane is dead under load: no request fails; an Envoy that is killed meanwhile serves again
    within five seconds from what it last accepted."""
    before = product.pids()
    assert product.supervisor is not None
    product.stand_still()
    with Flow(product.web_url) as flow:
        for name in ("web", "controller", "worker", "broker"):
            if name in before:
                os.kill(before[name], signal.SIGKILL)
        time.sleep(3)
    os.kill(before["envoy"], signal.SIGKILL)
    began = time.monotonic()
    eventually(lambda: answers(product.web_url), what="Envoy serves again")
    took_s = time.monotonic() - began
    with Flow(product.web_url) as again:
        time.sleep(1)
    product.go_on()
    eventually(product.all_answer, 60)

    assert flow.failed == []
    assert len(flow.answers) > 20
    assert took_s < 5
    assert again.failed == []


def test_supervisor_killed(product: Product) -> None:
    """Traffic needs none of it; the next start finds all data, sweeps what was left; the agents come back."""
    placed = {ask(product, f"kill-supervisor-{number}") for number in range(5)}
    before = product.pids()
    agents = {name: host.processes["agent"].pid for name, host in product.hosts.items()}
    assert product.supervisor is not None
    # One that cannot hear the kernel's SIGTERM, and must not wake up beside its successor.
    os.kill(before["controller"], signal.SIGSTOP)
    product.supervisor.kill()
    product.supervisor.wait(10)
    control = [pid for name, pid in before.items() if name not in ("envoy", "controller")]
    envoy = before.pop("envoy")
    eventually(
        lambda: not any(belongs_to(pid, product.place.data) for pid in control), what="the children end"
    )
    alone = [httpx.get(product.web_url, timeout=10, verify=False).status_code for _ in range(50)]
    product.up()
    known = {each["id"] for each in product.client.placements(state="held", limit=1000)["results"]}
    eventually(lambda: [fresh(host) for host in product.client.hosts()["results"]] == [True] * 3)
    eventually(product.all_answer)

    assert alone == [200] * 50
    assert product.pids()["envoy"] == envoy
    assert placed <= known
    assert not any(belongs_to(pid, product.place.data) for pid in before.values())
    assert agents == {name: host.processes["agent"].pid for name, host in product.hosts.items()}
    assert product.drift() == {}
    assert product.ended(product.submit("stack.add", 1, 1))["state"] == "succeeded"
    for placement in placed:
        product.client.release(placement)


def test_a_clean_end_leaves_nothing_running(product: Product) -> None:
    """SIGINT ends every process in order, with exit code 0."""
    before = product.pids()

    assert product.down() == 0
    assert not any(belongs_to(pid, product.place.data) for pid in before.values())
    assert not (product.place.run / "console-url").exists()


def ask(product: Product, key: str) -> str:
    """Place one load under a key of the caller's; the placement's id."""
    load = {"kind": "job", "name": key, "demand": {"cpu": 0.001, "memory": 4096}}
    with httpx.Client(
        headers={"Idempotency-Key": key, **authorisation(product)}, timeout=20, verify=False
    ) as http:
        answer = http.post(f"{product.url}/api/v1/placements/", json=load)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def answers(url: str) -> bool:
    """Whether a request gets through."""
    try:
        return httpx.get(url, timeout=1, verify=False).status_code == 200
    except httpx.TransportError:
        return False


def authorisation(product: Product) -> dict[str, str]:
    return {"Authorization": f"Token {product.place.cli_token.read_text().strip()}"}


def fresh(host: dict[str, float]) -> bool:
    return host["report_age_s"] is not None and host["report_age_s"] < 5


def lose_broker(product: Product) -> None:
    """The embedded broker dies. One that is not ours loses all connections and content: the same."""
    if product.own_broker:
        product.until_restarted("broker", product.kill("broker"))
        return
    with redis.Redis.from_url(product.environment["REDIS_URL"]) as broker:
        broker.flushdb()
        broker.client_kill_filter(_type="pubsub")
        broker.client_kill_filter(_type="normal", skipme=True)
