"""B1.picker_ns: what a pick of the module costs, and how that grows with the pool.

The module itself is compiled into a loop before lists of hosts that only count (loop.c): everything of a pick but
Envoy's own part. Time is what counts and is noisy; callgrind's instructions are neither, and stand beside it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.figures import Compared, Figure
from bench.registry import Settings
from bench.results import ROOT, Limit, Row, row
from console.engines.envoy import module

SIZES = (100, 1_000, 10_000)
SMALL, LARGE = SIZES[0], SIZES[-1]
PICKS, PICKS_FAST = 2_000_000, 20_000
#: Valgrind is some fifty times slower.
COUNTED = 20_000
TIMEOUT_S = 300.0
GOAL_NS = 1_000.0


async def run(settings: Settings) -> list[Row]:
    """Nanoseconds at 100 endpoints, growth to 10,000, and instructions for both."""
    with tempfile.TemporaryDirectory() as folder:
        loop = build(Path(folder))
        picks = settings.pick(PICKS, PICKS_FAST)
        times: dict[int, list[float]] = {size: [] for size in SIZES}
        windows: list[float] = []
        for _ in range(settings.rounds):
            for size, samples in times.items():  # In turn, so that what disturbs one disturbs all.
                samples.append(float(_output([str(loop), str(size), str(picks)])))
            windows.append(float(_output([str(loop), str(SMALL), str(picks), "windows"])))
        counted = {size: instructions(loop, size) for size in SIZES} if shutil.which("valgrind") else {}
    for size, samples in times.items():
        count = f", {counted[size]:,.0f} instructions" if counted else ""
        settings.say(f"  {size:,} endpoints: {Figure.of(samples).value:,.0f} ns a pick{count}")
    growth = [large / small for small, large in zip(times[SMALL], times[LARGE], strict=True)]
    note = "the module's whole pick, hosts' counters read by calls that are not inlined"
    pool = LARGE / SMALL
    rows = [
        row(
            "B1.picker_ns.100",
            Compared.of(times[SMALL]),
            "ns/pick",
            Limit("a microsecond", most=GOAL_NS),
            note=note,
        ),
        row(
            "B1.picker_ns.100.windows",
            Compared.of(windows, times[SMALL]),
            "ns/pick",
            Limit("a microsecond", most=GOAL_NS),
            peer="hosts without a quota",
            note=f"{note}; each host has a quota of cpu",
        ),
        row(
            "B1.picker_ns.growth",
            Compared.of(growth, [pool] * len(growth)),
            "time at 10,000 / at 100",
            Limit("the pool's own growth", most=pool),
            peer="the pool's growth",
            note=note,
        ),
    ]
    if counted:
        many = Compared.of([counted[LARGE] / counted[SMALL]], [pool])
        limit = Limit("the pool's own growth", most=pool)
        note = (
            f"{counted[SMALL]:,.0f} at 100 endpoints, {counted[LARGE]:,.0f} at 10,000, counted by callgrind"
        )
        unit = "instructions at 10,000 / at 100"
        rows.append(row("B1.picker_ns.instructions", many, unit, limit, peer="the pool's growth", note=note))
    return rows


def build(folder: Path) -> Path:
    """The loop, compiled as the module is."""
    program = folder / "loop"
    flags = ["-std=gnu11", "-O2", "-ffp-contract=off"]
    includes = [f"-I{module.FOLDER}", f"-I{ROOT / 'balancer_core/_kernels'}"]
    source = str(Path(__file__).with_name("loop.c"))
    _output(["gcc", *flags, *includes, source, "-o", str(program), "-lm"])
    return program


def instructions(loop: Path, size: int) -> float:
    """Of one pick: what twice as many picks cost more than once as many, so that building the pool does not count."""
    return (_collected(loop, size, 2 * COUNTED) - _collected(loop, size, COUNTED)) / COUNTED


def _collected(loop: Path, size: int, picks: int) -> int:
    command = [
        "valgrind",
        "--tool=callgrind",
        "--callgrind-out-file=/dev/null",
        str(loop),
        str(size),
        str(picks),
    ]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    found = re.search(r"Collected : (\d+)", answer.stderr)
    assert found, answer.stderr
    return int(found[1])


def _output(command: list[str]) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    return answer.stdout
