"""The agents' WebSocket through the real server: what is believed, what is refused, who is let in."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from console_serving import joined, linked, serving
from websockets.exceptions import InvalidStatus

from agents import wire
from console.fleet.actions.commands import give
from console.fleet.actions.lifecycle import Remove
from console.fleet.models import Command, Host
from console.live.ingest import refused
from console.live.link import links
from console.live.picture import picture
from console.live.threads import in_thread
from console.placements.models import Ledger

GOOD = {"cpu": 1.0, "memory": 1e9}

LIES: dict[str, tuple[dict[str, Any], str, str]] = {
    "NaN": ({"used": {"cpu": math.nan}}, "not_finite", "used.cpu"),
    "infinity": ({"used": {"cpu": math.inf}}, "not_finite", "used.cpu"),
    "minus infinity": ({"used": {"net_in": -math.inf}}, "not_finite", "used.net_in"),
    "negative": ({"used": {"cpu": -0.5}}, "negative", "used.cpu"),
    "1e308": ({"used": {"disk_io": 1e308}}, "too_large", "used.disk_io"),
    "more memory than there is": ({"used": {"memory": 1e12}}, "impossible", "used.memory"),
    "900 % cpu of one core": ({"used": {"cpu": 8 * 9.0}}, "impossible", "used.cpu"),
    "an unknown resource": ({"used": {"warp": 1.0}}, "unknown_resource", "used.warp"),
    "another host": ({"host": "web-2"}, "other_host", "host"),
    "a replay": ({"seq": 1}, "replayed", "seq"),
    "a quota of no number": ({"quota": wire.Quota(math.nan, 0.1)}, "impossible", "quota.cores"),
    "a quota in periods of a minute": ({"quota": wire.Quota(0.5, 60.0)}, "impossible", "quota.period_s"),
    "a new capacity of NaN": ({"capacity": {"cpu": math.nan}}, "not_finite", "capacity.cpu"),
    "a new capacity that its own use exceeds": ({"capacity": {"memory": 1e8}}, "impossible", "used.memory"),
    "a new capacity in a replay": ({"seq": 1, "capacity": {"cpu": 99.0}}, "replayed", "seq"),
    "a new capacity for another host": ({"host": "web-2", "capacity": {"cpu": 99.0}}, "other_host", "host"),
    "a resource that is no name": ({"capacity": {"cpu": 8.0, "GPU!": 1.0}}, "invalid_name", "capacity.GPU!"),
}


async def until(test: Any, seconds: float = 8.0) -> None:
    """Wait until test() holds, asking often."""
    async with asyncio.timeout(seconds):
        while not test():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_is_refused_whole_and_the_last_good_state_stays(cluster: Any, lie: str) -> None:
    """Refused names code and field, the counter rises, figures and capacity stay; the next true report is
    taken."""
    change, code, field = LIES[lie]
    async with serving() as address, joined(address, cluster, "web-1") as agent:
        await agent.say(wire.Report(seq=1, host="web-1", used=GOOD))
        await until(lambda: picture.used("web-1") == GOOD)
        before = await in_thread(lambda: list(Ledger.objects.values_list("resource", "capacity", "reserved")))

        await agent.say(wire.Report(**{"seq": 2, "host": "web-1", "used": GOOD | {"cpu": 2.0}, **change}))
        answer = await agent.hear(wire.Refused)

        assert (code, field) == (answer.code, answer.field)
        assert answer.reason
        assert {code: 1} == dict(refused)
        assert picture.used("web-1") == GOOD
        assert before == await in_thread(
            lambda: list(Ledger.objects.values_list("resource", "capacity", "reserved"))
        )
        await agent.say(wire.Report(seq=3, host="web-1", used={"cpu": 0.5}))
        await until(lambda: picture.used("web-1") == {"cpu": 0.5})


async def test_a_new_capacity_comes_with_a_report(cluster: Any) -> None:
    """More memory, and a resource that nobody had: the ledger has them, and the columns keep what was
    measured."""
    async with (
        serving() as address,
        joined(address, cluster, "web-1") as agent,
        joined(address, cluster, "web-2") as b,
    ):
        await b.say(wire.Report(seq=1, host="web-2", used=GOOD))
        await until(lambda: picture.used("web-2") == GOOD)

        await agent.say(
            wire.Report(seq=1, host="web-1", used={"gpu": 1.0}, capacity={"cpu": 9.0, "gpu": 2.0})
        )

        await until(lambda: picture.used("web-1") == {"gpu": 1.0})
        assert picture.capacity("web-1") == {"cpu": 9.0, "gpu": 2.0}
        assert picture.age_s("web-2") is not None


CLOSES: dict[str, tuple[Any, int, str]] = {
    "garbage": (b"\xc1 no msgpack", wire.CLOSE_REFUSED, "not a message"),
    "text": ("hello", wire.CLOSE_REFUSED, "not a message"),
    "no hello": (wire.Report(seq=1, host="web-1", used={}), wire.CLOSE_REFUSED, "first message"),
    "oversize": (b"x" * (wire.MAX_FRAME_BYTES + 1), 1009, ""),
}


@pytest.mark.parametrize("case", CLOSES)
async def test_a_broken_beginning_is_closed_with_its_code(cluster: Any, case: str) -> None:
    """What can't be read, is no hello, or is larger than a frame may be."""
    message, code, reason = CLOSES[case]
    token = await in_thread(cluster.token)
    async with serving() as address, linked(address, wire.enrol_bearer(token), message) as agent:
        closed = await agent.end()

    assert code == closed[0]
    assert reason in closed[1]


WRONG_HELLOS: dict[str, tuple[dict[str, Any], str]] = {
    "protocol": ({"protocol": 99}, "protocol 99"),
    "name": ({"name": "Web 1"}, "name:"),
    "address": ({"address": "web-1"}, "address:"),
    "unspecified address": ({"address": "0.0.0.0"}, "address:"),
    "multicast address": ({"address": "224.0.0.1"}, "address:"),
    "mapped address": ({"address": "::ffff:10.0.0.1"}, "address:"),
    "label's key": ({"labels": {"my zone": "a"}}, "labels:"),
    "label's value": ({"labels": {"owner": "Jane Doe"}}, "labels.owner:"),
    "too many labels": ({"labels": {f"l{n}": "x" for n in range(33)}}, "labels:"),
    "capacity NaN": ({"capacity": {"cpu": math.nan}}, "capacity.cpu:"),
    "capacity negative": ({"capacity": {"cpu": -1.0}}, "capacity.cpu:"),
    "capacity too small": ({"capacity": {"cpu": 1e-9}}, "capacity.cpu:"),
    "too many resources": ({"capacity": {f"r{n}": 1.0 for n in range(17)}}, "capacity:"),
    "version with NUL": ({"version": "1\0"}, "version:"),
    "no credential": ({"credential_digest": ""}, "credential_digest:"),
    "a credential that is no digest": ({"credential_digest": "\0" * 64}, "credential_digest:"),
}


@pytest.mark.parametrize("case", WRONG_HELLOS)
async def test_a_wrong_hello_is_refused_naming_the_field(cluster: Any, case: str) -> None:
    """4400 with the field first; no host comes to be and the token stays unused."""
    import msgspec

    change, reason = WRONG_HELLOS[case]
    token = await in_thread(cluster.token)
    hello = msgspec.structs.replace(cluster.hello("web-1"), **change)
    async with serving() as address:
        async with linked(address, wire.enrol_bearer(token), hello) as agent:
            closed = await agent.end()
        assert closed[0] == wire.CLOSE_REFUSED
        assert closed[1].startswith(reason)
        assert not await in_thread(Host.objects.exists)
        async with linked(address, wire.enrol_bearer(token), cluster.hello("web-1")) as agent:
            assert isinstance(await agent.hear(), wire.Welcome)


@pytest.mark.parametrize(
    "bearer",
    [
        "",
        "Bearer",
        "Basic eDp5",
        "Bearer agent.web-1.wrong",
        "Bearer agent.nobody.x",
        "Bearer enrol.",
        "Bearer agent.\xff.x",
    ],
)
async def test_nobody_gets_in_without_a_credential(cluster: Any, bearer: str) -> None:
    """Refused before the handshake: 401, no WebSocket."""
    async with serving() as address, joined(address, cluster, "web-1"):
        with pytest.raises(InvalidStatus) as refusal:
            async with linked(address, bearer):
                pass

    assert refusal.value.response.status_code == 401


async def test_a_wrong_token_ends_with_do_not_come_back(cluster: Any) -> None:
    """A one-time token is judged with the hello: 4401."""
    async with serving() as address:
        for token in ("a.b", "\x00.\x00", "none"):
            async with linked(
                address, f"Bearer enrol.{token}".replace("\x00", "%"), cluster.hello("web-1")
            ) as agent:
                assert (await agent.end())[0] == wire.CLOSE_UNAUTHORISED


async def test_a_joined_host_comes_back_with_its_credential(cluster: Any) -> None:
    """As itself; a hello under another name is refused."""
    async with serving() as address:
        async with joined(address, cluster, "web-1"):
            pass
        bearer = wire.agent_bearer("web-1", cluster.credentials["web-1"])
        async with linked(address, bearer, cluster.hello("web-1", cpu=2.0)) as agent:
            assert (await agent.hear(wire.Welcome)).host == "web-1"
            assert picture.capacity("web-1")["cpu"] == 2.0
        async with linked(address, bearer, cluster.hello("web-2")) as agent:
            assert (await agent.end())[0] == wire.CLOSE_REFUSED


async def test_the_newest_connection_of_a_host_wins(cluster: Any) -> None:
    """The older one is closed with 4409; the newer one's reports count."""
    async with serving() as address, joined(address, cluster, "web-1") as older:
        bearer = wire.agent_bearer("web-1", cluster.credentials["web-1"])
        async with linked(address, bearer, cluster.hello("web-1")) as newer:
            assert isinstance(await newer.hear(), wire.Welcome)
            assert (await older.end())[0] == wire.CLOSE_REPLACED
            await newer.say(wire.Report(seq=1, host="web-1", used=GOOD))
            await until(lambda: picture.used("web-1") == GOOD)
        await until(lambda: not links.names())


async def test_a_half_open_connection_does_not_hold_up_the_next(cluster: Any) -> None:
    """An older connection whose other end is gone without a word may take long to close: the newer is
    served at once."""
    async with serving() as address, joined(address, cluster, "web-1") as older:
        older.socket.transport.pause_reading()  # it will never answer the close
        bearer = wire.agent_bearer("web-1", cluster.credentials["web-1"])
        async with linked(address, bearer, cluster.hello("web-1")) as newer:
            await newer.hear(wire.Welcome)
            await newer.say(wire.Report(seq=1, host="web-1", used=GOOD))
            await until(lambda: picture.used("web-1") == GOOD, seconds=1.0)
            older.socket.transport.abort()


async def test_a_removed_hosts_connection_ends(cluster: Any) -> None:
    """With 4401: its credential is gone, and it must not come back."""
    from console.actions import SYSTEM

    async with serving() as address, joined(address, cluster, "web-1") as agent:
        await in_thread(Remove("web-1").run, SYSTEM)

        assert (await agent.end())[0] == wire.CLOSE_UNAUTHORISED


async def test_a_command_is_sent_once_a_connection_and_answered_once(cluster: Any) -> None:
    """A repeat only on a new connection; the first outcome counts, another host's never."""
    async with serving() as address:
        async with joined(address, cluster, "web-1") as agent, joined(address, cluster, "web-2") as other:
            host = await in_thread(Host.objects.get, name="web-1")
            command = await in_thread(give, host, "shard.drop", {"shard": "s"}, epoch=3, life_s=60.0)
            told = await agent.hear(wire.Command)
            assert (str(command.pk), "shard.drop", {"shard": "s"}, 3) == (
                told.id,
                told.verb,
                told.args,
                told.epoch,
            )
            assert 50 < told.expires_in_s <= 60
            await other.say(wire.Outcome(command=told.id, ok=True))
            await other.say(wire.Report(seq=1, host="web-2", used=GOOD))
            await until(lambda: picture.used("web-2") == GOOD)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(agent.socket.recv(), 1.5)  # longer than a sweep
        bearer = wire.agent_bearer("web-1", cluster.credentials["web-1"])
        async with linked(address, bearer, cluster.hello("web-1")) as agent:
            assert told.id == (await agent.hear(wire.Command)).id
            for ok in (False, True):
                await agent.say(wire.Outcome(command=told.id, ok=ok, error="disk\0full"))
            await agent.say(wire.Outcome(command="no uuid", ok=True))
            await agent.say(wire.Report(seq=1, host="web-1", used=GOOD))
            await until(lambda: picture.used("web-1") == GOOD)
    await in_thread(command.refresh_from_db)
    assert (command.state, command.error) == ("failed", "diskfull")


@pytest.mark.parametrize("result", [{"a": math.nan}, {"a": b"\xff"}, {"a": "\0"}])
async def test_an_outcome_that_cannot_be_kept_is_a_failure(cluster: Any, result: dict[str, Any]) -> None:
    """No result of an agent, whatever it holds, can break the connection or the database."""
    async with serving() as address, joined(address, cluster, "web-1") as agent:
        host = await in_thread(Host.objects.get, name="web-1")
        command = await in_thread(give, host, "shard.drop", {}, epoch=1, life_s=60.0)
        await agent.say(wire.Outcome(command=str(command.pk), ok=True, result=result))
        await agent.say(wire.Report(seq=1, host="web-1", used=GOOD))
        await until(lambda: picture.used("web-1") == GOOD)
    state = await in_thread(lambda: Command.objects.values_list("state", flat=True).get())
    assert state == "failed"


async def test_a_job_event_is_answered_by_its_reference(cluster: Any) -> None:
    """Also one that makes no sense."""
    async with serving() as address, joined(address, cluster, "web-1") as agent:
        for ref, event in enumerate(("claim", "succeeded", "lost", "renew", "da\0nce")):
            await agent.say(wire.JobEvent(ref=ref, job="no uuid", attempt=1, event=event))
            answer = await agent.hear(wire.JobAnswer)
            assert (ref, False) == (answer.ref, answer.accepted)
            assert answer.reason


async def test_many_agents_are_answered_together_each_its_own(cluster: Any) -> None:
    """What several say at once is taken in one go, and each answer comes to who asked, by its reference."""
    from console.actions import SYSTEM
    from console.jobs.actions.submit import SubmitMany
    from console.jobs.models import Job
    from console.jobs.spec import Spec

    async with (
        serving() as address,
        joined(address, cluster, "web-1") as one,
        joined(address, cluster, "web-2") as two,
    ):
        await in_thread(picture.load)
        await in_thread(SubmitMany([Spec("demo.add", demand={"cpu": 1.0}) for _ in range(12)]).run, SYSTEM)
        rows = await in_thread(lambda: list(Job.objects.values_list("pk", "placement__host__name")))
        own = {name: [pk for pk, host in rows if host == name] for name in ("web-1", "web-2")}
        assert all(own.values())

        # Each claims all: its own it may run, the other's not.
        for agent in (one, two):
            for ref, (pk, _) in enumerate(rows):
                await agent.say(wire.JobEvent(ref=ref, job=str(pk), attempt=1, event="claim"))
        heard = {
            name: [await agent.hear(wire.JobAnswer) for _ in rows]
            for name, agent in (("web-1", one), ("web-2", two))
        }

        for name, answers in heard.items():
            assert sorted(answer.ref for answer in answers) == list(range(len(rows)))
            for answer in answers:
                assert answer.accepted == (rows[answer.ref][0] in own[name])
        assert await in_thread(Job.objects.filter(state="running").count) == len(rows)
