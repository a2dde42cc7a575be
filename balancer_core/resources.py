"""The dimensions in which hosts are weighed: names, units, and vectors of float64.

A rate (cpu, disk_io, net_in, net_out) is used up moment by moment: too much of it makes things wait.
A capacity (memory, disk) is filled: too much of it makes things fail.
Every array in this package has its resources in the order of one Dimensions object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from balancer_core.amounts import AMOUNT_LIMIT, InvalidAmount, check_amount, format_amount, parse_amount

__all__ = [
    "AMOUNT_LIMIT",
    "LEAST_AMOUNT",
    "MAX_RESOURCES",
    "STANDARD",
    "Dimensions",
    "InvalidAmount",
    "Resource",
    "check_amount",
    "format_amount",
    "parse_amount",
]

#: The kernels keep one double per resource on the stack.
MAX_RESOURCES: Final = 32

#: Capacities and demands below this, other than 0, count as a mistake: dividing by them would drown every
#: other term.
LEAST_AMOUNT: Final = 1e-6

RATE: Final = 0
CAPACITY: Final = 1


@dataclass(frozen=True, slots=True)
class Resource:
    """One dimension. unit: what amounts count. kind: "rate" or "capacity".

    whole: demands and capacities come in whole units only (devices, licences); measurements may lie between.

    credible: the most a report may claim, as a multiple of the host's capacity; beyond it the
    report is a lie or a bug. Generous for rates whose capacity is a guess or that burst between samples.
    """

    name: str
    unit: str
    kind: Literal["rate", "capacity"]
    credible: float = 4.0
    whole: bool = False


STANDARD: Final = (
    Resource("cpu", "cores", "rate", credible=4.0),
    Resource("memory", "bytes", "capacity", credible=1.25),
    Resource("disk", "bytes", "capacity", credible=1.25),
    Resource("disk_io", "bytes/s", "rate", credible=100.0),
    Resource("net_in", "bytes/s", "rate", credible=100.0),
    Resource("net_out", "bytes/s", "rate", credible=100.0),
)


class Dimensions:
    """An ordered, fixed set of resources; the meaning of column r in every [H, R] array.

    Errors: ValueError for none, too many (MAX_RESOURCES), a repeated or an empty name, or an unknown kind.
    """

    def __init__(self, resources: Iterable[Resource] = STANDARD) -> None:
        self.resources: tuple[Resource, ...] = tuple(resources)
        self.names: tuple[str, ...] = tuple(resource.name for resource in self.resources)
        self._index = {name: r for r, name in enumerate(self.names)}
        if not 0 < len(self.names) <= MAX_RESOURCES:
            raise ValueError(f"{len(self.names)} resources; there may be 1 to {MAX_RESOURCES}")
        if len(self._index) != len(self.names) or not all(self.names):
            raise ValueError(f"the resources' names must differ and not be empty: {self.names}")
        if any(resource.kind not in ("rate", "capacity") for resource in self.resources):
            raise ValueError('a resource\'s kind is "rate" or "capacity"')
        kinds = [CAPACITY if resource.kind == "capacity" else RATE for resource in self.resources]
        self.kinds: NDArray[np.uint8] = np.array(kinds, dtype=np.uint8)
        self.kinds.flags.writeable = False
        self.credible: NDArray[np.float64] = np.array([resource.credible for resource in self.resources])
        self.credible.flags.writeable = False

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dimensions) and self.resources == other.resources

    def __hash__(self) -> int:
        return hash(self.resources)

    def __repr__(self) -> str:
        return f"Dimensions({', '.join(self.names)})"

    def index(self, name: str, field: str = "resource") -> int:
        """The column of a resource. Errors: InvalidAmount, code unknown_resource."""
        try:
            return self._index[name]
        except (KeyError, TypeError):
            known = ", ".join(self.names)
            raise InvalidAmount(
                field, "unknown_resource", f"{name!r} is not a resource; known are {known}."
            ) from None

    def vector(self, amounts: Mapping[str, float], field: str = "amounts") -> NDArray[np.float64]:
        """Amounts by name as float64[R]; what is not named is 0.

        Errors: InvalidAmount naming field.resource, code unknown_resource, not_a_number, not_finite,
        negative or too_large.
        """
        vector = np.zeros(len(self.names))
        for name, amount in amounts.items():
            vector[self.index(name, f"{field}.{name}")] = check_amount(amount, f"{field}.{name}")
        return vector

    def placed(self, checked: Mapping[str, float], field: str = "amounts") -> NDArray[np.float64]:
        """vector() of amounts that were checked before: only their resources' names and wholeness are looked
        at.

        Errors: InvalidAmount, code unknown_resource or not_whole.
        """
        vector = np.zeros(len(self.names))
        for name, amount in checked.items():
            column = self._index.get(name)
            if column is None:
                column = self.index(name, f"{field}.{name}")
            if self.resources[column].whole and amount != int(amount):
                raise _not_whole(name, amount, field)
            vector[column] = amount
        return vector

    def check_vector(self, vector: NDArray[np.float64], field: str = "vector") -> NDArray[np.float64]:
        """The vector as float64[R] when every entry is a valid amount; else InvalidAmount naming the
        resource."""
        checked = np.asarray(vector, dtype=np.float64)
        if checked.shape != (len(self.names),):
            raise InvalidAmount(
                field, "wrong_shape", f"{checked.shape} is not the shape ({len(self.names)},)."
            )
        if not ((checked >= 0) & (checked < AMOUNT_LIMIT)).all():
            self.vector(self.mapping(checked), field)
        return checked

    def capacity_vector(self, amounts: Mapping[str, float], field: str = "capacity") -> NDArray[np.float64]:
        """Like vector(), and each capacity is 0 (not declared) or large enough to be divided by."""
        vector = self.vector(amounts, field)
        self.placed(amounts, field)
        for name, amount in self.mapping(vector).items():
            if 0 < amount < LEAST_AMOUNT:
                raise InvalidAmount(
                    f"{field}.{name}", "too_small", f"{amount:.3g} is too little to be shared out."
                )
        return vector

    def parse(self, written: Mapping[str, str | float], field: str = "amounts") -> dict[str, float]:
        """Amounts as people write them ({"memory": "2Gi"}) in base units, each checked against its
        resource's unit."""
        amounts = {}
        for name, amount in written.items():
            resource = self.resources[self.index(name, f"{field}.{name}")]
            amounts[name] = parse_amount(amount, resource.unit, f"{field}.{name}")
        return amounts

    def mapping(self, vector: NDArray[np.float64]) -> dict[str, float]:
        """float64[R] as amounts by name, plain Python floats."""
        return dict(zip(self.names, vector.tolist(), strict=True))

    def format(self, name: str, amount: float) -> str:
        """An amount of one resource as people read it: 1.5 cores, 2 GiB."""
        return format_amount(amount, self.resources[self._index[name]].unit)


def _not_whole(name: str, amount: float, field: str) -> InvalidAmount:
    return InvalidAmount(
        f"{field}.{name}", "not_whole", f"{amount:g} of {name}; it comes in whole units only."
    )
