"""A database of before there were pools: its shards come into a pool that is as most of them are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

#: Two shards of three copies in zones and one of a single copy, as they were kept then.
FILL = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", "storage", "0002", verbosity=0)
for app in ("fleet", "placements"):
    call_command("migrate", app, verbosity=0)
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
graph = MigrationExecutor(connection).loader
newest = [node for node in graph.graph.leaf_nodes() if node[0] in ("fleet", "placements")]
models = graph.project_state([("storage", "0002_moves"), *newest]).apps.get_model
host = models("fleet", "Host").objects.create
hosts = [host(name=f"h{n}", address="::1", credential_digest=str(n)) for n in range(3)]
for name, count, level in (("a", 3, "zone"), ("b", 3, "zone"), ("c", 1, "host")):
    shard = models("storage", "Shard").objects.create(
        name=name, bytes=5, replica_count=count, spread_level=level, source_host=hosts[0], source_path="x")
    for host in hosts[:count]:
        decision = models("placements", "Decision").objects.create(
            kind="shard", name=name, policy="spread", outcome="placed", sentence="s", document={})
        placement = models("placements", "Placement").objects.create(
            decision=decision, host=host, kind="shard", name=name, demand={"disk": 5.0})
        models("storage", "Replica").objects.create(shard=shard, placement=placement, state="ready")
"""
LOOK = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from console.storage.models import Replica, Shard, StoragePool
print(list(StoragePool.objects.values_list("name", "data", "parity", "spread_level")))
print(list(Shard.objects.values_list("name", "pool", "replica_count", "spread_level")))
print(list(Replica.objects.order_by("pk").values_list("shard__name", "placement__host__name", "leader")))
"""


def run(folder: Path, script: str) -> str:
    """A Python process of its own, with a database of its own; what it prints."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "console.settings",
        "STEELYARD_DATA": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_shards_of_before_come_into_a_pool_of_their_kind(tmp_path: Path) -> None:
    """Each keeps its own copies and domains, and its first copy leads."""
    run(tmp_path, FILL)

    pools, shards, replicas = run(tmp_path, LOOK).splitlines()

    assert pools == "[('default', 1, 2, 'zone')]"
    assert shards == (
        "[('a', 'default', 3, 'zone'), ('b', 'default', 3, 'zone'), ('c', 'default', 1, 'host')]"
    )
    assert replicas.count("True") == 3
    assert "('a', 'h0', True), ('a', 'h1', False)" in replicas
