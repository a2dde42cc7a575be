"""What the chain is built from: plain values, so that the building needs no database and no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from console.engines.target.settings import USUAL, Settings


@dataclass(frozen=True, slots=True)
class EndpointKnown:
    """One endpoint. state: its joined health. serves: whether new requests go there, as far as is known.

    rate_per_s, errors_per_s: None while unknown. by_engine: rate by each engine, where there are several. latency_ms:
    the mean. used: the share (0..1) in use of its host's busiest resource, None while the agent is silent; busiest:
    that resource's name.
    """

    host: str
    port: int
    state: str = "unknown"
    serves: bool = True
    rate_per_s: float | None = None
    errors_per_s: float | None = None
    share: float | None = None
    latency_ms: float | None = None
    by_engine: Mapping[str, float] = field(default_factory=dict)
    used: float | None = None
    busiest: str = ""


@dataclass(frozen=True, slots=True)
class ServiceKnown:
    """One service. listen: ADDR:PORT, "" of a pool. p99_ms: None while unknown. refused: what engines do not take."""

    name: str
    protocol: str = "http"
    tier: str = "other"
    listen: str = ""
    settings: Settings = USUAL
    endpoints: tuple[EndpointKnown, ...] = ()
    p99_ms: float | None = None
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineKnown:
    """One balancer. refused: its words, "" where it took all. speaks: whether its figures are of now."""

    name: str
    connected: bool = True
    ready: bool = True
    refused: str = ""
    speaks: bool = True
    rate_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """Everything. certificates: name -> the host names that it is for. fresh: whether the controller speaks."""

    services: tuple[ServiceKnown, ...] = ()
    engines: tuple[EngineKnown, ...] = ()
    certificates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fresh: bool = True
