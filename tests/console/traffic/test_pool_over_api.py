"""A service's pool over REST: kept as it was said, and refused by the path of what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from console.traffic.models import Service

URL = "/api/v1/services/"
GOOD = {"name": "web", "protocol": "http", "listen": "127.0.0.1:8080", "endpoints": ["web-1:80"]}


@pytest.mark.parametrize(
    ("change", "pool", "field"),
    [
        ({}, {"check": {"kind": "http", "path": "ready"}}, "check.path"),
        ({}, {"hash": {"table": "ring"}}, "hash"),
        ({"protocol": "tcp"}, {"sticky": {}}, "sticky"),
        (
            {},
            {"upstream": {"tls": {"server_name": "a.test", "authority": "ghost"}}},
            "upstream.tls.authority",
        ),
        ({}, {"upstream": {"tls": {"verify": False, "certificate": "ghost"}}}, "upstream.tls.certificate"),
    ],
)
def test_a_wrong_pool_names_the_field(
    cluster: Any, api: Any, change: dict[str, Any], pool: dict[str, Any], field: str
) -> None:
    """What it names must be there, too; and nothing of the service is kept."""
    cluster.add("web-1", address="127.0.8.1")

    answer = api.operator.post(URL, {**GOOD, **change, "settings": {"pool": pool}})

    assert (400, f"settings.pool.{field}") == (answer.status_code, answer.json()["errors"][0]["field"])
    assert not Service.objects.exists()


def test_a_pool_is_kept_as_it_was_said(cluster: Any, api: Any) -> None:
    """Without what is usual."""
    cluster.add("web-1", address="127.0.8.1")
    pool = {"check": {"kind": "http", "path": "/ready"}, "drain_s": None, "sticky": {"ttl_s": 60.0}}

    answer = api.operator.post(URL, {**GOOD, "settings": {"pool": {**pool, "panic_percent": 0}}})

    assert answer.status_code == 201
    assert Service.objects.get().settings == {"pool": pool}
