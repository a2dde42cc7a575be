"""One state of an endpoint, from all who know something of it, and their reasons in sentences.

    what operators want (draining, closed)    goes before
    what engines found out (checks, requests) goes before
    what its host's agent says, or does not

A lost agent takes nothing away from an endpoint: the agent may have died alone, and the engines ask the server itself.
It is said all the same, for nobody knows then how loaded the host is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

State = Literal[
    "healthy",  # serves
    "unwatched",  # serves, and its host's agent is not heard of
    "partly",  # some engines use it and others do not
    "ejected",  # left out for a while because of its requests
    "unhealthy",  # does not answer its check as it should
    "draining",  # no new requests
    "closed",  # drained for as long as it may
    "unknown",  # no engine has spoken of it
]

#: Envoy's words in an endpoint's flags.
CHECK_FAILED = "failed_active_health_check"
REQUESTS_FAILED = "failed_outlier_check"
NOT_CHECKED = "pending_active_hc"


@dataclass(frozen=True, slots=True)
class EngineWord:
    """What one engine says of an endpoint: its word for it, and the flags that led to it."""

    health: str
    flags: tuple[str, ...] = ()
    engine: str = ""


@dataclass(frozen=True, slots=True)
class HostWord:
    """What is known of its host. age_s: of its agent's last report, None if there was none; lost: by the detector."""

    name: str
    age_s: float | None
    silent: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class DrainWord:
    """A drain that is under way. by_host: it is the host's. for_s: since when, None if unknown. left_s: until what is
    left is closed, None if that never happens. closed: an operator would not wait for the end of it. by_weight: it is
    not drained, and its weight is set to nothing.
    """

    by_host: bool
    for_s: float | None = None
    left_s: float | None = None
    closed: bool = False
    by_weight: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """state, and why: one sentence from each who has something to say; none where all is well."""

    state: State
    reasons: tuple[str, ...] = field(default=())


def health_of(engines: Sequence[EngineWord], host: HostWord, drain: DrainWord | None = None) -> Health:
    """The endpoint's one state. engines: empty if none has spoken. O(engines)."""
    found, reasons = _engines_say(engines)
    if drain is not None:
        reasons.insert(0, _drain_says(drain))
        found = "closed" if drain.left_s is not None and drain.left_s <= 0 else "draining"
    said = _host_says(host)
    if said:
        reasons.append(said)
        found = "unwatched" if found == "healthy" else found
    return Health(found, tuple(reasons))


def _engines_say(engines: Sequence[EngineWord]) -> tuple[State, list[str]]:
    failing = [word for word in engines if CHECK_FAILED in word.flags]
    ejecting = [word for word in engines if REQUESTS_FAILED in word.flags or word.health == "ejected"]
    waiting = [word for word in failing if NOT_CHECKED in word.flags]
    # An engine that was told to drain it says so, and nothing of its own.
    out = [word for word in engines if word.health in ("unhealthy", "ejected")]
    reasons = []
    if len(waiting) < len(failing):
        wrong = [word for word in failing if word not in waiting]
        reasons.append(f"It does not answer its check as it should{_where(wrong, engines)}.")
    if waiting:
        reasons.append(f"It has not answered its first check yet{_where(waiting, engines)}.")
    if ejecting:
        reasons.append(
            f"It is left out for a while because of what happened to its requests{_where(ejecting, engines)}."
        )
    if not engines:
        return "unknown", ["No engine has spoken of it."]
    if not out:
        return "healthy", reasons
    if len(out) < len(engines):
        return "partly", reasons or [f"It is not used{_where(out, engines)}."]
    ejected = all(word.health == "ejected" for word in out)
    return ("ejected" if ejected else "unhealthy"), reasons or ["It was declared unhealthy."]


def _where(words: Sequence[EngineWord], all_words: Sequence[EngineWord]) -> str:
    """Which engines say so; nothing where there is only one."""
    if len(all_words) < 2:
        return ""
    if len(words) == len(all_words):
        return f" (all {len(all_words)} engines)"
    named = ", ".join(word.engine for word in words[:3])
    return f" ({len(words)} of {len(all_words)} engines: {named}{', …' if len(words) > 3 else ''})"


def _drain_says(drain: DrainWord) -> str:
    if drain.closed:
        return "Gets nothing because an operator closed it, without the time of a drain."
    whose = "its host is draining" if drain.by_host else "an operator drains it"
    whose = "an operator set its weight to 0 %" if drain.by_weight else whose
    since = "" if drain.for_s is None else f" for {_duration(drain.for_s)}"
    if drain.left_s is None:
        return f"Gets no new requests because {whose}{since}; requests under way end."
    if drain.left_s > 0:
        after = _duration(drain.left_s)
        return f"Gets no new requests because {whose}{since}; requests under way end; the rest is closed in {after}."
    return f"Gets nothing because {whose}{since}, longer than it may take; connections that were left are closed."


def _host_says(host: HostWord) -> str:
    heard = "was never heard of" if host.age_s is None else f"was last heard of {_duration(host.age_s)} ago"
    if host.lost:
        return f"The agent of {host.name} is lost: it {heard}; the server itself may be well."
    if host.silent:
        return f"The agent of {host.name} is silent: it {heard}; how loaded the host is, is not known."
    return ""


def _duration(value_s: float) -> str:
    if value_s < 120:
        return f"{value_s:.0f} s"
    return f"{value_s / 60:.0f} min" if value_s < 7200 else f"{value_s / 3600:.1f} h"
