"""The messages between an agent and the control plane: msgpack, one message a WebSocket frame.

Upwards (agent to control plane): Hello, Report, Outcome, JobEvent.
Downwards: Welcome, Refused, Command, JobAnswer.

Rules:
1. The first frame on a connection is Hello, answered by Welcome or by a close with a reason.
2. Times are durations. A sender's clock is never trusted; the receiver stamps what it receives.
3. Every message is safe to receive twice: reports carry a sequence number,
   commands and job events an identity.
4. An agent speaks only for itself: the control plane takes the host from the credential and
   refuses a report that names another.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

PROTOCOL = 1
LINK_PATH = "/agent/v1/link"
MAX_FRAME_BYTES = 64 * 1024
#: Characters of why a worker ended.
LONGEST_WHY = 200
#: Of mounts, of disks and of cards that a report tells one by one, and the longest name of one, in characters.
MOST_PARTS = 16
LONGEST_PART = 64

#: What a host, a service or a shard may be called: a DNS label.
NAME_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

#: WebSocket close codes of our own (4000-4999 are the application's).
CLOSE_UNAUTHORISED = 4401  # the token or credential is not, or no longer, valid: do not come back
CLOSE_REFUSED = 4400  # the message broke the protocol: the reason says how
CLOSE_REPLACED = 4409  # another connection of the same host took over
CLOSE_BUSY = 4429  # come back later, with jitter


class Hello(msgspec.Struct, tag="hello", frozen=True):
    """Who is there, and what the host has.

    capacity: resource name to amount, in the units of balancer_core.resources
    (cores, bytes, bytes/s). A resource that is absent is not declared.
    credential_digest: SHA-256 hex of the credential the agent made for itself; only read while
    enrolling with a one-time token, so that a repeat after a lost answer finds its own mark.
    """

    protocol: int
    version: str
    name: str
    address: str
    labels: dict[str, str]
    capacity: dict[str, float]
    credential_digest: str = ""


class Mount(msgspec.Struct, array_like=True, frozen=True):
    """One file system: where it is mounted, bytes used, and the bytes that can be used."""

    path: str
    used: float
    size: float


class Flow(msgspec.Struct, array_like=True, frozen=True):
    """Bytes a second of one disk (read, written) or one network card (in, out)."""

    name: str
    inwards: float
    outwards: float


class Parts(msgspec.Struct, frozen=True):
    """The host's single disks and cards, at most MOST_PARTS of each: the fullest mounts and the busiest others.

    Names are printable and at most LONGEST_PART characters long.
    """

    mounts: list[Mount]
    disks: list[Flow]
    cards: list[Flow]


class Quota(msgspec.Struct, array_like=True, frozen=True):
    """The kernel's limit of cpu: cores x period_s of cpu time in each period, then standstill until the next."""

    cores: float
    period_s: float


class Worker(msgspec.Struct, array_like=True, frozen=True):
    """The Celery worker that the agent starts and watches. running_s: None while there is none; processes: of its pool;
    starts: how often this agent has started it; why: how the last one ended."""

    running_s: float | None
    processes: int
    starts: int
    why: str


class Report(msgspec.Struct, tag="report", frozen=True):
    """What the host uses now. used: resource name to amount, same units as capacity.

    capacity is sent only when it changed since Hello or the last report that carried it. parts: with some reports;
    older agents never send them, nor a quota or a worker. quota: None where nothing limits cpu in periods. worker: None
    where the agent has none to watch.
    """

    seq: int
    host: str
    used: dict[str, float]
    capacity: dict[str, float] | None = None
    parts: Parts | None = None
    quota: Quota | None = None
    worker: Worker | None = None


class Outcome(msgspec.Struct, tag="outcome", frozen=True):
    """What became of a command. Sent again on every reconnect until the command stops coming."""

    command: str
    ok: bool
    result: dict[str, Any] = {}
    error: str = ""


class JobEvent(msgspec.Struct, tag="job", frozen=True):
    """A worker on this host claims a job, renews its claim, or says how it ended.

    event: "claim", "renew" (it still runs), "report" (how far it is: share, note, lines of its log), "succeeded"
    (used: what the run used, by resource), "failed" or "lost" (the worker's process is gone).
    A claim that is neither renewed nor ended for a while is given up by the control plane.
    ref is the agent's own number for the question; JobAnswer carries it back.
    """

    ref: int
    job: str
    attempt: int
    event: str
    result: Any = None
    error: str = ""
    used: dict[str, float] = {}
    share: float | None = None
    note: str = ""
    lines: str = ""


class Welcome(msgspec.Struct, tag="welcome", frozen=True):
    """The control plane took the connection: the name it knows the host by, and the pace it asks for."""

    host: str
    report_interval_s: float
    keepalive_s: float


class Refused(msgspec.Struct, tag="refused", frozen=True):
    """A report was not taken; the host keeps its last good state."""

    seq: int
    code: str
    field: str
    reason: str


class Command(msgspec.Struct, tag="command", frozen=True):
    """One typed verb to carry out. The same id always means the same act: a repeat is only answered."""

    id: str
    verb: str
    args: dict[str, Any]
    epoch: int
    expires_in_s: float


class JobAnswer(msgspec.Struct, tag="job_answer", frozen=True):
    """Whether the control plane took a JobEvent; a claim that is not accepted must not run."""

    ref: int
    accepted: bool
    reason: str = ""


Upward = Hello | Report | Outcome | JobEvent
Downward = Welcome | Refused | Command | JobAnswer

encode = msgspec.msgpack.Encoder().encode
decode_upward = msgspec.msgpack.Decoder(Upward).decode
decode_downward = msgspec.msgpack.Decoder(Downward).decode


def digest(secret: str) -> str:
    """SHA-256 hex of a secret: what is kept at rest. 256 random bits need no stretching."""
    return hashlib.sha256(secret.encode()).hexdigest()


def enrol_bearer(token: str) -> str:
    """The Authorization header of an agent that joins with a one-time token (ID.SECRET)."""
    return f"Bearer enrol.{token}"


def agent_bearer(name: str, credential: str) -> str:
    """The Authorization header of an agent that has joined before."""
    return f"Bearer agent.{name}.{credential}"
