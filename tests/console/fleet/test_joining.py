"""One-time tokens and the hosts that they make."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from console_racing import at_once
from control_rig import agent
from django.utils import timezone

from console.actions import SYSTEM, Conflict, Invalid, NotAllowed
from console.events.models import Event
from console.fleet.actions.join import MOST_RESOURCES_IN_ALL, ChangeCapacity, Introduce, Join
from console.fleet.actions.lifecycle import Remove
from console.fleet.actions.tokens import IssueHostToken
from console.fleet.models import Host, HostToken
from console.live.picture import picture
from console.placements import ledger
from console.placements.models import Ledger


def join(cluster: Any, token: str, name: str = "web-1", **hello: Any) -> Host:
    return Join(token, msgspec.structs.replace(cluster.hello(name), **hello)).run(agent(name))


def test_a_token_makes_one_host(cluster: Any) -> None:
    """The same credential may repeat, since its answer may have been lost; another may not."""
    token = cluster.token()

    host = join(cluster, token)

    assert host.pk == join(cluster, token).pk
    with pytest.raises(NotAllowed, match="used already"):
        join(cluster, token, "web-2")
    assert list(Host.objects.values_list("name", flat=True)) == ["web-1"]


def test_a_token_used_at_once_makes_one_host(cluster: Any) -> None:
    """Of several agents that race with one token, one joins."""
    token = cluster.token()
    hellos = [cluster.hello(f"web-{n}") for n in range(4)]

    results = at_once(*(lambda h=h: Join(token, h).run(agent(h.name)) for h in hellos))

    assert sum(isinstance(each, Host) for each in results) == 1, results
    assert sum(isinstance(each, NotAllowed) for each in results) == 3


def test_a_token_runs_out(cluster: Any) -> None:
    """But not for the repeat of a join that it made in time."""
    unused, used = cluster.token(), cluster.token()
    join(cluster, used)
    HostToken.objects.update(expires_at=timezone.now())

    with pytest.raises(NotAllowed, match="run out"):
        join(cluster, unused, "web-2")
    assert join(cluster, used).name == "web-1"


def test_a_token_may_be_for_one_name_only(cluster: Any) -> None:
    """Under another it stays unused."""
    token = cluster.token("web-1")

    with pytest.raises(NotAllowed, match="web-1"):
        join(cluster, token, "web-2")
    assert join(cluster, token).name == "web-1"


@pytest.mark.parametrize("token", ["", ".", "nobody.x", "\0.\0"])
def test_an_unknown_token_makes_nothing(cluster: Any, token: str) -> None:
    """Nor does the right identity with a wrong secret."""
    known = cluster.token().partition(".")[0]

    for each in (token, f"{known}.wrong", known):
        with pytest.raises(NotAllowed, match="not known"):
            join(cluster, each)


def test_only_the_digest_of_a_token_is_kept(cluster: Any) -> None:
    """No column holds the secret."""
    secret = cluster.token().partition(".")[2]

    assert secret not in str(HostToken.objects.values().get())
    assert secret not in str(list(Event.objects.values()))


def test_a_taken_name_and_a_known_credential_are_refused(cluster: Any) -> None:
    """A name is joined again only after a removal; a credential is one host's."""
    join(cluster, cluster.token())

    with pytest.raises(Conflict, match="web-1"):
        join(cluster, cluster.token(), credential_digest="c" * 64)
    with pytest.raises(NotAllowed, match="credential"):
        join(cluster, cluster.token(), "web-2", credential_digest=cluster.hello("web-1").credential_digest)


def test_a_removed_host_does_not_come_back_with_its_old_token(cluster: Any) -> None:
    """Not even as a repeat; with a new token it does."""
    token = cluster.token()
    join(cluster, token)
    Remove("web-1").run(SYSTEM)

    with pytest.raises(NotAllowed, match="removed"):
        join(cluster, token)
    assert join(cluster, cluster.token()).pk


@pytest.mark.parametrize(
    ("name", "life_s", "field"), [("Web 1", 60, "host_name"), ("", 0, "life_s"), ("", 86401, "life_s")]
)
def test_a_token_cannot_be_issued_wrongly(cluster: Any, name: str, life_s: int, field: str) -> None:
    """The field says what is wrong."""
    with pytest.raises(Invalid) as refusal:
        IssueHostToken(name, life_s).run(SYSTEM)

    assert field == refusal.value.field


def test_a_host_and_its_audit_line_come_together_or_not_at_all(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the line can't be written there is no host, and the token is still good."""
    token = cluster.token()

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("as if killed here")

    with monkeypatch.context() as patch:
        patch.setattr(Join, "record", fail)
        with pytest.raises(RuntimeError):
            join(cluster, token)

    assert not Host.objects.exists()
    assert not Ledger.objects.exists()
    join(cluster, token)
    assert Event.objects.filter(action="host.join", subject="web-1").count() == 1


def test_what_a_host_says_of_itself_is_written_where_it_changed(cluster: Any) -> None:
    """With one audit line a change, and none for a repeat."""
    join(cluster, cluster.token())
    same = cluster.hello("web-1")
    moved = msgspec.structs.replace(same, address="127.0.9.9", labels={"zone": "b"}, capacity={"cpu": 2.0})

    Introduce(same).run(agent("web-1"))
    assert not Event.objects.filter(action="host.introduce").exists()
    Introduce(moved).run(agent("web-1"))
    Introduce(moved).run(agent("web-1"))

    assert Host.objects.values_list("address", "labels").get() == ("127.0.9.9", {"zone": "b"})
    assert list(Ledger.objects.values_list("resource", "capacity")) == [("cpu", 2.0)]
    assert Event.objects.filter(action="host.introduce").count() == 2  # the capacity, and the rest


def test_a_resource_that_is_gone_keeps_its_promises(cluster: Any) -> None:
    """Its line stays at capacity 0 while something is promised on it, and leaves after."""
    host = cluster.add("web-1", gpu=2.0)
    assert ledger.reserve(host.pk, {"gpu": 1.0})

    for _ in range(2):
        ChangeCapacity({"cpu": 4.0}).run(agent("web-1"))
    assert {line.resource: (line.capacity, line.reserved) for line in Ledger.objects.all()} == {
        "cpu": (4.0, 0.0),
        "gpu": (0.0, 1.0),
    }
    assert Event.objects.filter(action="host.capacity").count() == 1
    ledger.release({host.pk: {"gpu": 1.0}})
    ChangeCapacity({"cpu": 4.0}).run(agent("web-1"))
    assert list(Ledger.objects.values_list("resource", flat=True)) == ["cpu"]


def test_one_agent_cannot_use_up_the_room_for_resources(cluster: Any) -> None:
    """Beyond what the cluster holds a new name is refused, and the picture still loads."""
    cluster.add("web-1", **{f"a{n}": 1.0 for n in range(10)})
    with pytest.raises(Invalid) as refusal:
        cluster.add("web-2", **{f"b{n}": 1.0 for n in range(10)})
    assert refusal.value.field == "capacity.b8"

    picture.load()
    assert picture.names() == ["web-1"]
    assert len(picture.view()[0].dimensions) <= MOST_RESOURCES_IN_ALL


def test_an_agent_does_only_what_agents_do(cluster: Any) -> None:
    """Nothing of an operator's; and operators do nothing of an agent's."""
    cluster.add("web-1")

    with pytest.raises(NotAllowed):
        Remove("web-1").run(agent("web-1"))
    with pytest.raises(NotAllowed):
        ChangeCapacity({"cpu": 99.0}).run(SYSTEM)
