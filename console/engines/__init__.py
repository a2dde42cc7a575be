"""Engines: the real products that carry decisions out. One file or folder a product, no Django inside.

An engine takes a TrafficTarget (console.engines.target), makes its product do it, and tells what the
product does in truth. Names are looked up here and imported only when asked for, so that a process
which merely builds targets never pays for gRPC and protobuf.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

from console.engines.target import TrafficTarget

#: Engine name -> "module:class". A new engine is one line here and one folder beside.
BUILT_IN: Mapping[str, str] = {
    "envoy": "console.engines.envoy.engine:EnvoyEngine",
}


class UnknownEngine(LookupError):
    """No engine of that name is built in."""


class Engine(Protocol):
    """What the controller asks of a product that carries traffic."""

    async def start(self) -> None:
        """Begin to serve the product; returns when it can connect."""

    @property
    def target(self) -> TrafficTarget | None:
        """The wanted state: as last applied, or the baseline of an earlier leader."""

    def apply(self, target: TrafficTarget, *, force: bool = False, meant: Collection[str] = ()) -> None:
        """Make target the wanted state; raises console.engines.guard.GuardRefused unless force, or meant."""

    async def observe(self) -> Mapping[str, Any]:
        """What all instances of the product see together: service -> its figures and its endpoints'."""

    def seen_by(self) -> Mapping[str, Mapping[str, Any]]:
        """The same for each instance by itself: name -> service -> figures."""

    def take_requests(self) -> Sequence[tuple[str, Any]]:
        """Requests that instances logged since the last time, oldest first: (instance's name, request)."""

    def take_told(self) -> Sequence[Any]:
        """What rollouts did since the last time."""

    @property
    def state(self) -> Mapping[str, Any]:
        """Per instance of the product: connected or not, and what it took or refused, with its words."""

    async def stop(self) -> None:
        """Stop serving; the product goes on with what it has."""


def engine_class(name: str) -> type[Any]:
    """The class of the engine called name; UnknownEngine names those there are."""
    if name not in BUILT_IN:
        raise UnknownEngine(f"no engine {name!r}; there is: {', '.join(sorted(BUILT_IN))}")
    module, _, attribute = BUILT_IN[name].partition(":")
    found: type[Any] = getattr(import_module(module), attribute)
    return found
