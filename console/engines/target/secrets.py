"""What engines need and nobody else may see: certificates' keys, and clients' API keys.

Settings name them; the target carries them, so that a renewed certificate changes no service.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from console.engines.target.checks import InvalidTarget, check_name


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate by name, as PEM texts. chain: leaf first; key: its private key; ca: who signs clients'.

    chain and key, or ca, or all three. What they hold is checked where they are uploaded.
    """

    name: str
    chain: str = ""
    key: str = field(default="", repr=False)
    ca: str = ""

    def __post_init__(self) -> None:
        check_name("name", self.name)
        if bool(self.chain) != bool(self.key):
            raise InvalidTarget("key", "chain and key are there together, or neither is")
        if not self.chain and not self.ca:
            raise InvalidTarget("chain", "a certificate is a chain with its key, or a CA, or both")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What a client shows to be let in."""

    name: str
    value: str = field(repr=False)

    def __post_init__(self) -> None:
        check_name("name", self.name)
        if len(self.value) < 16:
            raise InvalidTarget("value", "a key is at least 16 characters")
