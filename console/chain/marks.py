"""What is narrow or broken in the chain: a word for its shape, and a sentence with the figures."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec

from console.chain.inputs import EndpointKnown, EngineKnown, ServiceKnown

#: Of all requests: more errors than this are no accident.
FAILING_SHARE: Final = 0.01
#: Of a host's busiest resource: beyond this its queue grows faster than its work.
FULL_USE: Final = 0.9
#: As many times as long as the others of the same service, and long enough for a person to notice.
SLOW_TIMES: Final = 3.0
SLOW_LEAST_MS: Final = 20.0
SLOW_P99_MS: Final = 1000.0


class Mark(msgspec.Struct, frozen=True):
    """One finding. grave: requests are lost by it; else they wait."""

    word: str
    sentence: str
    grave: bool = False


def marks_of_service(service: ServiceKnown) -> tuple[Mark, ...]:
    """Worst first. O(endpoints)."""
    found = [Mark("refused", sentence, grave=True) for sentence in service.refused]
    endpoints = service.endpoints
    out = [each for each in endpoints if not each.serves]
    if endpoints and len(out) == len(endpoints):
        found.append(Mark("nobody serves", f"None of {service.name}'s endpoints serves.", grave=True))
    elif broken := [each for each in out if each.state not in ("draining", "closed")]:
        said = _named(broken)
        found.append(Mark("thin", f"{len(broken)} of {len(endpoints)} endpoints do not serve: {said}."))
    rates = [each for each in endpoints if each.rate_per_s is not None]
    asked = sum(each.rate_per_s or 0.0 for each in rates)
    errors = sum(each.errors_per_s or 0.0 for each in rates)
    if asked > 0 and errors / asked > FAILING_SHARE:
        share = errors / asked
        found.append(Mark("failing", f"{share:.1%} of {service.name}'s requests fail.", grave=True))
    full = sorted(
        {(each.used, each.host, each.busiest) for each in endpoints if (each.used or 0.0) >= FULL_USE}
    )
    if full:
        used, host, busiest = full[-1]
        more = f", and {len(full) - 1} more host{'s' * (len(full) > 2)}" if len(full) > 1 else ""
        found.append(Mark("full", f"{host} uses {used:.0%} of its {busiest}{more}."))
    found += _slow(service, rates)
    return tuple(sorted(found, key=lambda mark: not mark.grave))


def marks_of_engine(engine: EngineKnown) -> tuple[Mark, ...]:
    """Worst first."""
    if not engine.connected:
        sentence = (
            f"{engine.name} is not connected: it goes on with what it took last, and hears of no change."
        )
        return (Mark("away", sentence),)
    found = []
    if engine.refused:
        found.append(Mark("refuses", f"{engine.name} refuses {engine.refused}", grave=True))
    if not engine.ready:
        found.append(Mark("starting", f"{engine.name} does not serve yet."))
    return tuple(found)


def _slow(service: ServiceKnown, endpoints: Sequence[EndpointKnown]) -> list[Mark]:
    timed = [(each.latency_ms, each) for each in endpoints if each.latency_ms is not None and each.rate_per_s]
    for took, each in sorted(timed, key=lambda pair: -pair[0]):
        others = [latency for latency, other in timed if other is not each]
        if others and took >= SLOW_LEAST_MS and took >= SLOW_TIMES * median(others):
            sentence = f"{each.host}:{each.port} takes {took:.0f} ms, {service.name}'s others {median(others):.0f} ms."
            return [Mark("slow", sentence)]
    if service.p99_ms is not None and service.p99_ms >= SLOW_P99_MS:
        return [
            Mark(
                "slow",
                f"One in a hundred of {service.name}'s requests takes {service.p99_ms:.0f} ms or longer.",
            )
        ]
    return []


def _named(endpoints: Sequence[EndpointKnown]) -> str:
    said = ", ".join(f"{each.host}:{each.port} ({each.state})" for each in endpoints[:3])
    return f"{said}, …" if len(endpoints) > 3 else said
