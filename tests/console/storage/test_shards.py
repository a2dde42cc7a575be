"""Shards: placed whole or not at all over failure domains, copied step by step, removed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from control_rig import agent
from django.utils import timezone

from console.actions import SYSTEM, Conflict
from console.controller.models import Lease
from console.fleet.actions.commands import AnswerCommand, expire_old_commands
from console.fleet.actions.lifecycle import Remove
from console.fleet.models import Command
from console.placements import ledger
from console.placements.actions.commit import FitsNowhere
from console.placements.models import Decision
from console.storage.actions.shards import CreateShard, RemoveShard
from console.storage.models import Replica, Shard
from console.storage.moves import MOST_AT_ONCE, MOST_ATTEMPTS, advance_replicas

EPOCH = 7
DIGEST, OTHER = "a" * 64, "b" * 64
SERVED = {"port": 4000, "files": 2, "bytes": 50, "digest": DIGEST}


def create(name: str = "s", replicas: int = 2, spread: str = "zone") -> Shard:
    return CreateShard(name, 100, "a1", "tree", replicas, spread).run(SYSTEM)


@pytest.fixture
def zones(cluster: Any) -> Any:
    """Two hosts in each of the zones a and b."""
    for zone in "ab":
        for number in (1, 2):
            cluster.add(f"{zone}{number}", labels={"zone": zone})
    return cluster


def advance() -> int:
    from django.db import transaction

    with transaction.atomic():
        return advance_replicas(EPOCH)


def answer(verb: str, result: dict[str, Any] | None = None, error: str = "") -> Command:
    """The agent that was told so says what became of the oldest open command."""
    command = (
        Command.objects.select_related("host").filter(verb=verb, state="pending").order_by("created_at")[0]
    )
    assert AnswerCommand(str(command.pk), not error, result or {}, error).run(agent(command.host.name))
    return command


def due() -> None:
    Replica.objects.update(retry_at=None)


def test_replicas_stand_in_different_failure_domains(zones: Any) -> None:
    """One in each zone; the ledger holds their disk."""
    shard = create()

    hosts = list(shard.replicas.values_list("placement__host__name", flat=True))
    assert sorted(name[0] for name in hosts) == ["a", "b"]
    assert [zones.reserved(name, "disk") for name in hosts] == [100.0, 100.0]


def test_all_replicas_or_none(zones: Any) -> None:
    """A third zone is missing: nothing is reserved, no shard is left, the refusal is kept with its
    reasons."""
    with pytest.raises(FitsNowhere) as refusal:
        create(replicas=3)

    assert not Shard.objects.exists()
    assert ledger.totals()["disk"][1] == 0.0
    assert ledger.drift() == {}
    kept = Decision.objects.get(pk=refusal.value.decision_id)
    assert ("refused", "s/2", refusal.value.decision.sentence) == (kept.outcome, kept.name, kept.sentence)


def test_a_copy_goes_from_source_to_target(zones: Any) -> None:
    """Served, fetched, verified by digest; the shard learns its digest, and the key stays nowhere."""
    shard = create(replicas=1)

    assert advance() == 1
    assert advance() == 0
    serve = answer("shard.serve", SERVED)
    assert (serve.args["source"], serve.epoch, serve.host.name) == ("tree", EPOCH, "a1")
    assert advance() == 1
    fetch = Command.objects.get(verb="shard.fetch")
    assert (serve.args["key"], serve.args["transfer"], 4000, DIGEST, 50) == tuple(
        fetch.args[name] for name in ("key", "transfer", "port", "digest", "bytes")
    )
    answer("shard.fetch", {"files": 2, "bytes": 50, "digest": DIGEST})
    assert advance() == 1

    shard.refresh_from_db()
    replica = shard.replicas.get()
    assert (replica.state, shard.digest) == ("ready", DIGEST)
    assert replica.ready_at is not None
    assert not any("key" in command.args for command in Command.objects.all())
    assert advance() == 0


@pytest.mark.parametrize(
    ("serve", "fetch", "error"),
    [
        ({"error": "no such tree"}, None, "no such tree"),
        ({"result": {}}, None, "can't be right"),
        ({"result": {**SERVED, "port": "ssh"}}, None, "can't be right"),
        ({"result": {**SERVED, "bytes": -1}}, None, "can't be right"),
        ({"result": {**SERVED, "digest": "../../etc"}}, None, "can't be right"),
        ({"result": SERVED}, {"error": "disk full"}, "disk full"),
        ({"result": SERVED}, {"result": {"digest": OTHER}}, "digest differs"),
        ({"result": SERVED}, {"result": {}}, "digest differs"),
    ],
)
def test_a_step_that_fails_begins_again_and_gives_up_at_last(
    zones: Any, serve: dict[str, Any], fetch: dict[str, Any] | None, error: str
) -> None:
    """What an agent says wrongly or badly costs an attempt, never the sweep; after the last the replica
    says why."""
    create(replicas=1)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert advance() == 1
        answer("shard.serve", **serve)
        assert advance() == 1
        if fetch is not None:
            answer("shard.fetch", **fetch)
            assert advance() == 1
        replica = Replica.objects.get()
        assert (attempt, "failed" if attempt == MOST_ATTEMPTS else "reserved") == (
            replica.attempt,
            replica.state,
        )
        assert error in replica.error
        assert advance() == 0  # not before its time
        due()

    assert advance() == 0
    assert not any("key" in command.args for command in Command.objects.all())


def test_a_command_that_is_not_answered_runs_out(zones: Any) -> None:
    """Then the step begins again with a new key."""
    create(replicas=1)
    advance()
    first = Command.objects.get()
    Command.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert expire_old_commands() == 1
    advance()
    due()
    advance()

    assert first.args["key"] != Command.objects.get(state="pending").args["key"]


def test_a_tree_larger_than_reserved_is_not_copied(zones: Any) -> None:
    """Nor tried again: it will not shrink."""
    create(replicas=1)
    advance()
    answer("shard.serve", {**SERVED, "bytes": 101})
    advance()

    assert Replica.objects.get().state == "failed"
    assert not Command.objects.filter(verb="shard.fetch").exists()


def test_replicas_that_race_must_agree(zones: Any) -> None:
    """The source changed between two transfers: the second copy is no replica of this shard."""
    create(replicas=2)
    advance()
    answer("shard.serve", SERVED)
    answer("shard.serve", {**SERVED, "digest": OTHER})
    advance()
    for command in Command.objects.select_related("host").filter(verb="shard.fetch"):
        AnswerCommand(str(command.pk), True, {"digest": command.args["digest"]}).run(agent(command.host.name))
    advance()

    assert sorted(Replica.objects.values_list("state", flat=True)) == ["failed", "ready"]


def test_only_some_transfers_are_under_way_at_once(zones: Any) -> None:
    """The others wait for their turn."""
    for number in range(4):
        create(f"s{number}")

    assert advance() == MOST_AT_ONCE
    assert Command.objects.filter(verb="shard.serve").count() == MOST_AT_ONCE


def test_removing_releases_and_tells_the_hosts(zones: Any) -> None:
    """With the present leader's epoch, which the agents' fence lets through."""
    create()
    Lease.objects.create(role="controller", holder="me", epoch=9, renewals=0)

    RemoveShard("s").run(SYSTEM)

    assert ledger.totals()["disk"][1] == 0.0
    drops = Command.objects.filter(verb="shard.drop")
    assert [command.epoch for command in drops] == [9, 9]
    assert drops[0].args == {"shard": "s", "mover": "tree"}
    assert not Shard.objects.exists()


def test_shards_over_rest(zones: Any, api: Any) -> None:
    """Made, shown, removed; wrong ones name their field."""
    body = {"name": "s", "bytes": 100, "source_host": "a1", "source_path": "tree", "spread": "zone"}

    made = api.operator.post("/api/v1/shards/", body)

    assert (made.status_code, len(made.json()["replicas"])) == (201, 2)
    assert api.operator.post("/api/v1/shards/", body).status_code == 409
    for change, field in (
        ({"name": "S!"}, "name"), ({"bytes": 0}, "bytes"), ({"source_host": "nobody"}, "source_host"),
        ({"replicas": 17}, "replicas"), ({"policy": "best"}, "policy"),
    ):  # fmt: skip
        answer = api.operator.post("/api/v1/shards/", {**body, "name": "t", **change})
        assert (400, field) == (answer.status_code, answer.json()["errors"][0]["field"])
    nowhere = api.operator.post("/api/v1/shards/", {**body, "name": "t", "replicas": 3})
    assert (nowhere.status_code, len(nowhere.json()["hosts"])) == (409, 4)
    assert api.viewer.get("/api/v1/shards/s/").json()["name"] == "s"
    assert api.operator.delete("/api/v1/shards/s/").status_code == 204
    create("t")
    with pytest.raises(Conflict):
        Remove("a1").run(SYSTEM)
