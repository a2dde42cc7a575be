"""B3: vectors packed into equal bins, on public instances that 702 published heuristics were measured on.

Three tasks, each the total of bins over all instances of a set (Mommessin et al., Computers & Operations
Research 2025): batch (all loads known, packed together), online (in listed order, each placed for good,
nothing known of what follows) and ordered (all loads known, the order is ours, each placed once for good by
first fit). The published side is, instance by instance, the best of its family; item-centric heuristics sort
their loads first, so that theirs is the ordered task, and online has no published peer but that one.
The evaluator (bins_used) shares no code with what packs: it is told rows, sums every bin itself in plain
integers, and fails the run for a load without a bin or a bin too full.
"""

from __future__ import annotations

import csv
import multiprocessing
import random
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from balancer_core.packing import best_order, pack, place_each
from bench.figures import Compared
from bench.quality import traces
from bench.registry import Settings
from bench.results import Limit, Row, row

SETS = {"new": "New", "panigrahy": "Panigrahy"}
TASKS = ("batch", "online", "ordered")
#: What stands beside each task: a column of the published summary.
PEERS = {
    "batch": ("best_BC", "best bin-centric, published"),
    "online": ("best_IC", "best item-centric, published"),
    "ordered": ("best_IC", "best item-centric, published"),
}
SEED = 1
#: Instances are independent, and each is computed on one core.
PROCESSES = 2
#: A fast run takes the first of each ten instances, up to so many loads.
MOST_LOADS_FAST = 60


@dataclass(frozen=True, slots=True)
class Instance:
    """Bins of one capacity, and loads; all whole numbers."""

    name: str
    capacity: tuple[int, ...]
    sizes: tuple[tuple[int, ...], ...]


def parsed(name: str, text: str) -> Instance:
    """D; D capacities; n; n lines of D sizes and how often they come."""
    numbers = [int(word) for word in text.split()]
    wide = numbers[0]
    lines, rest = numbers[1 + wide], numbers[2 + wide :]
    if len(rest) != lines * (wide + 1):
        raise ValueError(f"{name}: {len(rest)} numbers for {lines} loads of {wide} resources")
    sizes: list[tuple[int, ...]] = []
    for start in range(0, len(rest), wide + 1):
        sizes += [tuple(rest[start : start + wide])] * rest[start + wide]
    return Instance(name, tuple(numbers[1 : 1 + wide]), tuple(sizes))


def read(folder: Path, name: str) -> Iterator[Instance]:
    """The instances of a set, by name."""
    with tarfile.open(folder / f"{name}_instances.tar.gz") as archive:
        members = {Path(each.name).stem: each for each in archive if each.name.endswith(".vbp")}
        for stem in sorted(members):
            file = archive.extractfile(members[stem])
            assert file is not None
            yield parsed(stem, file.read().decode())


def published(folder: Path, name: str) -> dict[str, dict[str, str]]:
    """The summary of a set: instance -> column -> bins."""
    with (folder / f"{name}_summary_known.csv").open() as file:
        return {each["instance_name"]: each for each in csv.DictReader(file, delimiter="\t")}


def bins_used(instance: Instance, rows: Sequence[int]) -> int:
    """How many bins these rows use. Raises ValueError if a load has none, or a bin holds too much."""
    if len(rows) != len(instance.sizes):
        raise ValueError(f"{instance.name}: {len(rows)} rows for {len(instance.sizes)} loads")
    held: dict[int, list[int]] = {}
    for size, bin_number in zip(instance.sizes, rows, strict=True):
        if bin_number < 0:
            raise ValueError(f"{instance.name}: a load has no bin")
        bin_held = held.setdefault(bin_number, [0] * len(instance.capacity))
        for resource, amount in enumerate(size):
            bin_held[resource] += amount
            if bin_held[resource] > instance.capacity[resource]:
                raise ValueError(f"{instance.name}: bin {bin_number} holds too much")
    return len(held)


def solved(task: tuple[str, Instance]) -> int:
    """The bins that an instance takes, as one task."""
    name, instance = task
    sizes = np.array(instance.sizes, dtype=np.int64)
    free = np.tile(np.array(instance.capacity, dtype=np.int64), (len(sizes), 1))
    chance = random.Random(f"{SEED} {instance.name}")
    if name == "batch":
        packing = pack(free, sizes, chance)
    elif name == "online":
        packing = place_each(free, sizes)
    else:
        packing = place_each(free, sizes, best_order(free, sizes, chance), "first_fit")
    return bins_used(instance, packing.rows.tolist())


def wanted(instance: Instance, settings: Settings) -> bool:
    """Whether this run takes it."""
    first = instance.name.endswith("_0") and len(instance.sizes) <= MOST_LOADS_FAST
    return settings.pick(True, first)


async def run(settings: Settings) -> list[Row]:
    """A row for each set and task."""
    folder = traces()
    if folder is None or not (folder / "vbp").is_dir():
        settings.say("  not measured: there are no traces (STEELYARD_TRACES)")
        return []
    rows = []
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        for short, name in SETS.items():
            instances = [each for each in read(folder / "vbp", name) if wanted(each, settings)]
            known = published(folder / "vbp", name)
            best = sum(int(known[each.name]["best_overall"]) for each in instances)
            for task in TASKS:
                total = sum(pool.map(solved, [(task, each) for each in instances], chunksize=8))
                column, peer = PEERS[task]
                theirs = sum(int(known[each.name][column]) for each in instances)
                settings.say(
                    f"  {short}, {task}: {total} bins; {peer} {theirs}, best of all published {best}"
                )
                rows.append(
                    row(
                        f"B3.vbp.{short}.{task}",
                        Compared.of([total], [theirs]),
                        "bins",
                        Limit(f"below {theirs} bins, total {total}", most=theirs - 1),
                        peer=peer,
                        note=f"{len(instances)} instances; best of all published heuristics {best}",
                    )
                )
    return rows
