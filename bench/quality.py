"""B3: how well loads are packed, on public traces that others made and published results for.

The folder of traces is STEELYARD_TRACES, default ../shared/traces beside the project; without it there are
no rows, and it is said. The evaluator (Ledger) shares no code with the policy: it is told host and load,
keeps every device itself, and fails the run if anything does not fit.
"""

from __future__ import annotations

import csv
import os
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from balancer_core.packing import Packer, Shape
from bench.figures import Compared
from bench.registry import Settings
from bench.results import ROOT, Limit, Row, row

LISTS = ("default", "cpu050", "cpu100", "gpuspec10")
SEEDS, SEEDS_FAST = tuple(range(42, 52)), (42,)
#: Pods arrive until their devices are this share of what there is; the figure is taken at all of it.
ARRIVING = 1.0
DEVICE = 1000


@dataclass(frozen=True, slots=True)
class Node:
    """A host of the trace: 1/1000 cores, MiB, devices, and the number of its device model."""

    cpu: int
    memory: int
    devices: int
    model: int


@dataclass(frozen=True, slots=True)
class Pod:
    """A load of the trace; share: 1/1000 of each of its devices."""

    cpu: int
    memory: int
    devices: int
    share: int
    models: frozenset[int]

    @property
    def milli(self) -> int:
        """1/1000 devices that it asks for."""
        return self.devices * self.share


def traces() -> Path | None:
    """The folder of traces, None if it is not there."""
    folder = Path(os.environ.get("STEELYARD_TRACES", ROOT.parent / "shared/traces"))
    return folder if folder.is_dir() else None


def read(folder: Path, name: str) -> tuple[list[Node], list[Pod]]:
    """The hosts with devices, and one list of pods."""
    models: dict[str, int] = {}
    with (folder / "openb_node_list_gpu_node.csv").open() as file:
        nodes = [
            Node(
                int(each["cpu_milli"]),
                int(each["memory_mib"]),
                int(each["gpu"]),
                models.setdefault(each["model"], len(models)),
            )
            for each in csv.DictReader(file)
        ]
    pods = []
    with (folder / f"openb_pod_list_{name}.csv").open() as file:
        for each in csv.DictReader(file):
            devices = int(each["num_gpu"])
            share = int(each["gpu_milli"]) if devices == 1 else DEVICE
            # A model that no host has still forbids all others.
            allowed = frozenset(
                models.setdefault(model, len(models)) for model in each["gpu_spec"].split("|") if model
            )
            pods.append(Pod(int(each["cpu_milli"]), int(each["memory_mib"]), devices, share, allowed))
    return nodes, pods


def arrivals(nodes: list[Node], pods: list[Pod], seed: int) -> list[Pod]:
    """The list shuffled, then pods of it at random, until all devices' worth has arrived."""
    chance = random.Random(seed)
    most, arrived = ARRIVING * DEVICE * sum(node.devices for node in nodes), 0
    order: list[Pod] = []
    shuffled = pods.copy()
    chance.shuffle(shuffled)
    for number in range(10 * len(pods)):
        if arrived >= most:
            return order
        pod = shuffled[number] if number < len(shuffled) else chance.choice(pods)
        order.append(pod)
        arrived += pod.milli
    raise ValueError("these pods ask for no devices")


class Ledger:
    """Who holds what, device by device; the judge of a packing."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.cpu = [node.cpu for node in nodes]
        self.memory = [node.memory for node in nodes]
        self.devices = [[DEVICE] * node.devices for node in nodes]
        self.allocated = 0

    def take(self, at: int, pod: Pod) -> None:
        """Reserve a pod on a node. Raises ValueError if it does not fit there."""
        if pod.models and self.nodes[at].model not in pod.models:
            raise ValueError(f"node {at} has devices of another model")
        self.cpu[at] -= pod.cpu
        self.memory[at] -= pod.memory
        if self.cpu[at] < 0 or self.memory[at] < 0:
            raise ValueError(f"node {at} has no room")
        for _ in range(pod.devices):
            able = [number for number, free in enumerate(self.devices[at]) if free >= pod.share]
            if not able:
                raise ValueError(f"node {at} has no device free")
            self.devices[at][min(able, key=self.devices[at].__getitem__)] -= pod.share
        self.allocated += pod.milli

    @property
    def allocation(self) -> float:
        """% of all devices that is held."""
        return 100.0 * self.allocated / (DEVICE * sum(node.devices for node in self.nodes))


def replay(nodes: list[Node], pods: list[Pod], seed: int) -> float:
    """% of devices allocated when as much as there is has arrived."""
    shapes = {
        pod: Shape((pod.cpu, pod.memory), pod.devices, pod.share if pod.devices == 1 else DEVICE, pod.models)
        for pod in set(pods)
    }
    counts = Counter(pods)
    typical = [
        (shapes[pod], count / len(pods))
        for pod, count in sorted(counts.items(), key=lambda each: repr(each[0]))
    ]
    width = max(node.devices for node in nodes)
    packer = Packer(
        np.array([[node.cpu, node.memory] for node in nodes]),
        np.array([[DEVICE] * node.devices + [0] * (width - node.devices) for node in nodes]),
        np.array([node.model for node in nodes]),
        typical,
    )
    ledger = Ledger(nodes)
    for pod in arrivals(nodes, pods, seed):
        at = packer.place(shapes[pod])
        if at is not None:
            ledger.take(at, pod)
    return ledger.allocation


def published(folder: Path, name: str) -> float:
    """The best published median at all arrived: FGD's, on every list."""
    with (folder / "published_allocation.csv").open() as file:
        found = [each for each in csv.DictReader(file) if each["workload"] == f"openb_pod_list_{name}"]
    return max(float(each["alloc_med_100"]) for each in found)


async def run(settings: Settings) -> list[Row]:
    """A row for each list of pods."""
    folder = traces()
    if folder is None:
        settings.say("  not measured: there are no traces (STEELYARD_TRACES)")
        return []
    rows = []
    for name in settings.pick(LISTS, LISTS[:1]):
        nodes, pods = read(folder / "openb", name)
        samples = []
        for seed in settings.pick(SEEDS, SEEDS_FAST):
            samples.append(replay(nodes, pods, seed))
            settings.say(f"  {name}, seed {seed}: {samples[-1]:.2f} %")
        peer = published(folder / "openb", name)
        least = 95.7 if name == "default" else peer
        limit = Limit(f"{least:g} %, median {median(samples):.2f}", least=least)
        compared = Compared.of(samples, [peer] * len(samples))
        rows.append(row(f"B3.openb.{name}", compared, "% of devices", limit, peer="FGD, published"))
    return rows
