"""The agent put together: identity, sampler, link, commands, the worker and its socket, movers, runs of processes."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

import psutil

from agents import limits, wire
from agents.amounts import WrongInput
from agents.backoff import Backoff
from agents.bodies import Bodies
from agents.commands import CommandDesk
from agents.identity import DataDirectory, Identity, new_credential
from agents.link import Link, Unauthorised
from agents.mover import TreeMover
from agents.movers import Movers, NoMover
from agents.processes import Processes
from agents.redis_cluster import Login
from agents.runner import Runner
from agents.sampler import Sampler
from agents.shards import ShardRoot
from agents.slots import SlotMover
from agents.worker import HostWorker

log = logging.getLogger("steelyard.agent")


@dataclass
class Membership:
    """What the agent shows at the door, and what it keeps once it was let in.

    token: the one-time token while joining, else empty.
    """

    directory: DataDirectory
    identity: Identity
    token: str
    version: str

    def bearer(self) -> str:
        if self.token:
            return wire.enrol_bearer(self.token)
        return wire.agent_bearer(self.identity.name, self.identity.credential)

    def hello(self, capacity: dict[str, float]) -> wire.Hello:
        me = self.identity
        return wire.Hello(
            protocol=wire.PROTOCOL,
            version=self.version,
            name=me.name,
            address=me.address,
            labels=me.labels,
            capacity=capacity,
            credential_digest=wire.digest(me.pending_credential) if self.token else "",
        )

    def welcomed(self, welcome: wire.Welcome) -> None:
        """The control plane has our digest now: the pending credential becomes the one."""
        shed_memory()
        me = self.identity
        if not self.token and welcome.host == me.name:
            return
        if self.token:
            me.credential, me.token_digest = me.pending_credential, me.pending_token_digest
            me.pending_credential = me.pending_token_digest = ""
        me.name = welcome.host
        self.directory.save(me)
        self.token = ""


def shed_memory() -> None:
    """Give back to the system what starting and connecting took: 3 MB of the resident set, measured."""
    gc.collect()
    psutil.heap_trim()


def prepare_join(directory: DataDirectory, wanted: Identity, token: str) -> tuple[Identity, str]:
    """Store what is needed to join; answers the identity and the token still to be shown.

    The same token again is a repeat: joined already, it is not shown again; not joined yet, the credential
    made for it is used again, so that the control plane finds its own mark.
    """
    known = directory.load()
    fingerprint = wire.digest(token)
    if known is not None and (known.url, known.token_digest) == (wanted.url, fingerprint):
        wanted.name = known.name
        wanted.credential, wanted.token_digest = known.credential, known.token_digest
        directory.save(wanted)
        return wanted, ""
    if known is not None:
        wanted.credential, wanted.token_digest = known.credential, known.token_digest
    if known is not None and (known.url, known.pending_token_digest) == (wanted.url, fingerprint):
        wanted.pending_credential = known.pending_credential
    else:
        wanted.pending_credential = new_credential()
    wanted.pending_token_digest = fingerprint
    directory.save(wanted)
    return wanted, token


async def run(directory: DataDirectory, identity: Identity, token: str, version: str) -> None:
    """Live until cancelled. Raises link.Unauthorised, WrongInput."""
    try:
        group = limits.find(identity.cgroup)
    except limits.NoSuchGroup as error:
        raise WrongInput(f"--cgroup: {error}") from None
    try:
        root = ShardRoot(Path(identity.shards) if identity.shards else directory.path / "shards")
    except OSError as error:
        raise WrongInput(f"--shards {error.filename}: {error.strerror}") from None
    sampler = Sampler(
        time.monotonic,
        root.path,
        declared=identity.capacity,
        group=group,
        group_is_host=identity.cgroup is not None,
    )
    login = Login(identity.redis_node, identity.redis_user, identity.redis_password_file)
    slots = SlotMover(identity.address, lambda: identity.name, login)
    movers = Movers({"tree": TreeMover(root, identity.address), "none": NoMover(), "redis": slots})
    link: Link
    processes = Processes(
        directory.runs, directory.allowed, lambda *which, **said: link.ask(*which, **said), group
    )
    verbs = {**movers.verbs, "slots.survey": slots.survey, **processes.verbs}
    desk = CommandDesk(verbs, time.monotonic, directory.load_epoch(), directory.save_epoch)
    membership = Membership(directory, identity, token, version)
    worker = HostWorker(
        identity.worker,
        identity.worker_directory,
        directory.worker,
        directory.worker_socket,
        lambda: identity.name,
        Backoff(SystemRandom()),
    )
    joined = asyncio.Event()

    def welcomed(welcome: wire.Welcome) -> None:
        membership.welcomed(welcome)
        joined.set()

    async def keep_worker() -> None:
        # Its name and its queue are the host's, which the control plane gives.
        await joined.wait()
        try:
            await worker.keep()
        except Exception:
            log.exception("the worker is not watched any more")

    link = Link(
        identity.url,
        bearer=membership.bearer,
        hello=lambda: membership.hello(sampler.capacity()),
        welcomed=welcomed,
        samples=sampler,
        worker=worker.told,
        desk=desk,
        backoff=Backoff(SystemRandom()),
        clock=time.monotonic,
        interval_s=identity.interval_s,
    )
    processes.adopt()
    bodies = Bodies(group, identity.job_limits)
    bodies.sweep()
    keeping = asyncio.ensure_future(keep_worker())
    try:
        async with Runner(directory.worker_socket, link.ask, bodies).listen():
            await link.run()
    except Unauthorised:
        # Nothing that it did would be taken any more.
        worker.end()
        raise
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        movers.close()
        await asyncio.shield(desk.close())
        await asyncio.shield(processes.close())
