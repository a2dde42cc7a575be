"""The files of the ROADEF/EURO challenge 2012 (machine reassignment), and their judge.

Both follow the challenge's problem_definition_v1.pdf in plain Python and share no code with the solver: the judge is
told an assignment, fails the run if it breaks a rule, and says what it costs.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.results import ROOT


@dataclass(frozen=True, slots=True)
class Machine:
    """A host."""

    neighborhood: int
    location: int
    capacity: list[int]
    safety: list[int]
    move_cost: list[int]


@dataclass(frozen=True, slots=True)
class Process:
    """A load."""

    service: int
    requirement: list[int]
    move_cost: int


@dataclass(frozen=True, slots=True)
class Service:
    """A group of loads."""

    spread: int
    needs: list[int]


@dataclass(frozen=True, slots=True)
class Instance:
    """A problem in the challenge's words. balances: r1, r2, target, weight. weights: process, service, machine
    move cost."""

    transient: list[bool]
    load_weight: list[int]
    machines: list[Machine]
    services: list[Service]
    processes: list[Process]
    balances: list[list[int]]
    weights: list[int]
    original: list[int]


class Refused(ValueError):
    """An assignment that the challenge's rules forbid."""


def read(folder: Path, name: str) -> Instance:
    """An instance and its original assignment, plain or gzipped. Raises ValueError for leftovers."""
    numbers = _numbers(folder / f"model_{name}.txt")

    def take(count: int) -> list[int]:
        return [next(numbers) for _ in range(count)]

    resources = [take(2) for _ in range(next(numbers))]
    width, hosts = len(resources), next(numbers)
    machines = [
        Machine(next(numbers), next(numbers), take(width), take(width), take(hosts)) for _ in range(hosts)
    ]
    services = [Service(next(numbers), take(next(numbers))) for _ in range(next(numbers))]
    processes = [Process(next(numbers), take(width), next(numbers)) for _ in range(next(numbers))]
    balances = [take(4) for _ in range(next(numbers))]
    weights = take(3)
    if next(numbers, None) is not None:
        raise ValueError(f"model_{name}.txt goes on after its end")
    return Instance(
        transient=[bool(transient) for transient, _ in resources],
        load_weight=[weight for _, weight in resources],
        machines=machines,
        services=services,
        processes=processes,
        balances=balances,
        weights=weights,
        original=list(_numbers(folder / f"assignment_{name}.txt")),
    )


def _numbers(path: Path) -> Iterator[int]:
    packed = path.with_name(f"{path.name}.gz")
    text = path.read_text() if path.exists() else gzip.decompress(packed.read_bytes()).decode()
    return iter([int(word) for word in text.split()])


@dataclass(frozen=True, slots=True)
class Published:
    """Costs of an instance: at the start, and the least ever published."""

    initial: int
    best: int

    def gap(self, cost: int) -> float:
        """How far above the best, in % of the start."""
        return 100.0 * (cost - self.best) / self.initial


def published(folder: Path) -> dict[str, Published]:
    """By name of the instance."""
    with (folder / "published_A_B.csv").open() as file:
        return {
            row["instance"]: Published(
                int(row["initial"]), min(int(row["best_competition"]), int(row["best_public_later"]))
            )
            for row in csv.DictReader(file)
        }


def judge(instance: Instance, assignment: Sequence[int]) -> int:
    """The total objective cost (1.3). Raises Refused where a hard constraint (1.2) is violated."""
    if len(assignment) != len(instance.processes):
        raise Refused("not every process has a machine")
    if not all(0 <= machine < len(instance.machines) for machine in assignment):
        raise Refused("a machine that there is not")
    usage = _usage(instance, assignment)
    _check_services(instance, assignment)
    cost = 0
    for machine, used in zip(instance.machines, usage, strict=True):
        for amount, safe, weight in zip(used, machine.safety, instance.load_weight, strict=True):
            cost += weight * max(0, amount - safe)
        available = [there - amount for there, amount in zip(machine.capacity, used, strict=True)]
        for first, second, target, weight in instance.balances:
            cost += weight * max(0, target * available[first] - available[second])
    process_weight, service_weight, machine_weight = instance.weights
    moved: Counter[int] = Counter()
    for process, before, after in zip(instance.processes, instance.original, assignment, strict=True):
        if before != after:
            cost += process_weight * process.move_cost
            cost += machine_weight * instance.machines[before].move_cost[after]
            moved[process.service] += 1
    return cost + service_weight * max(moved.values(), default=0)


def _usage(instance: Instance, assignment: Sequence[int]) -> list[list[int]]:
    width = len(instance.load_weight)
    usage = [[0] * width for _ in instance.machines]
    held = [[0] * width for _ in instance.machines]
    for process, before, after in zip(instance.processes, instance.original, assignment, strict=True):
        for resource, amount in enumerate(process.requirement):
            usage[after][resource] += amount
            held[after][resource] += amount
            if before != after and instance.transient[resource]:
                held[before][resource] += amount
    for number, machine in enumerate(instance.machines):
        if any(amount > there for amount, there in zip(held[number], machine.capacity, strict=True)):
            raise Refused(f"machine {number} has no capacity for what it holds (1.2.1, 1.2.5)")
    return usage


def _check_services(instance: Instance, assignment: Sequence[int]) -> None:
    machines: dict[int, list[int]] = defaultdict(list)
    for process, machine in zip(instance.processes, assignment, strict=True):
        machines[process.service].append(machine)
    neighborhoods = {
        number: {instance.machines[machine].neighborhood for machine in found}
        for number, found in machines.items()
    }
    for number, service in enumerate(instance.services):
        found = machines[number]
        if len(set(found)) < len(found):
            raise Refused(f"service {number} runs twice on a machine (1.2.2)")
        if len({instance.machines[machine].location for machine in found}) < service.spread:
            raise Refused(f"service {number} is in too few locations (1.2.3)")
        for needed in service.needs:
            if not neighborhoods.get(number, set()) <= neighborhoods.get(needed, set()):
                raise Refused(f"service {number} runs without {needed}, which it depends on (1.2.4)")


def folder_of(traces: str | None) -> Path | None:
    """The challenge's folder among the traces, None if it is not there."""
    folder = Path(traces or ROOT.parent / "shared/traces") / "roadef2012"
    return folder if folder.is_dir() else None
