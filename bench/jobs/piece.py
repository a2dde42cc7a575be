"""One job of a scene, as it is handed in to whoever runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MIB = 2**20


@dataclass(frozen=True)
class Piece:
    """One job: when it is handed in (s), whose it is, what it does; and the cores and processes of a worker that it
    says it needs."""

    at_s: float
    tenant: str
    cpu_s: float = 0.0
    memory_bytes: int = 0
    hold_s: float = 0.0
    io_bytes: int = 0
    #: A body that does little still has to be started.
    cores: float = 0.05
    processes: float = 1.0

    def demand(self) -> dict[str, float]:
        memory = float(8 * MIB + self.memory_bytes)
        return {"cpu": self.cores, "memory": memory, "processes": self.processes}

    def arguments(self, run: str, number: int) -> list[Any]:
        return [run, number, self.cpu_s, self.memory_bytes, self.hold_s, self.io_bytes]

    @property
    def alone_s(self) -> float:
        """How long it takes at least, on a whole core."""
        return self.cpu_s + self.hold_s
