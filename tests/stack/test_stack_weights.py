"""Operators' part in weights, from the API to what a real Envoy does with real requests."""

from __future__ import annotations

from collections import Counter

import httpx
import pytest
from product import Product
from stack_host import free_port
from waiting import eventually

pytestmark = pytest.mark.stack

REQUESTS = 200


def test_share_follows_what_operators_leave(product: Product) -> None:
    """At 25 % of equal weights one in five comes there, at 0 none; undo brings back what was."""
    alpha, beta = (f"{name}:{product.hosts[name].port}" for name in ("alpha", "beta"))
    port = free_port(product.address)
    product.client.create_service(
        {
            "name": "weighed",
            "protocol": "http",
            "listen": f"{product.address}:{port}",
            "endpoints": [alpha, beta],
            "settings": {"pool": {"balance": "round_robin"}},
        }
    )
    url = f"http://{product.address}:{port}/"
    eventually(lambda: set(_answers(url, 20)) == {"alpha", "beta"}, what="both answer")
    path = "services/weighed"

    def told() -> dict[str, float]:
        rows = product.client.get(f"{path}/weights/")["endpoints"]
        return {row["endpoint"]: row["weight"] / row["learnt"] for row in rows if row["weight"]}

    product.client.post(f"{path}/weights/", {"weights": {beta: 25}, "force": True})
    eventually(lambda: told().get(beta, 1.0) < 0.26, what="the engine is told")
    asked = {row["endpoint"]: row["asked"] for row in product.client.get(f"{path}/weights/")["endpoints"]}
    reduced = _answers(url, REQUESTS)
    product.client.post(f"{path}/weights/", {"weights": {beta: 0}, "force": True})
    eventually(lambda: set(_answers(url, 10)) == {"alpha"}, what="nothing comes to beta")
    nothing = _answers(url, REQUESTS)
    product.client.post(f"{path}/undo-weights/", {"force": True})
    eventually(lambda: "beta" in _answers(url, 20), what="some comes to beta again")

    assert reduced["beta"] / REQUESTS == pytest.approx(asked[beta], abs=0.04)
    assert asked[beta] < 0.25
    assert nothing == {"alpha": REQUESTS}
    product.client.delete(f"{path}/")


def _answers(url: str, count: int) -> Counter[str]:
    """Who answered how often."""
    with httpx.Client() as client:
        return Counter(client.get(url).json()["host"] for _ in range(count))
