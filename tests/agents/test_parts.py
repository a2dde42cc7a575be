"""Each disk and card, from the real machine: what is told, how much of it, and what it costs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from agents import parts, wire
from agents.parts import EVERY_S, PartsSampler, readable
from agents.sampler import Sampler
from agents.wire import LONGEST_PART, MOST_PARTS, Parts


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def told(sampler: PartsSampler, clock: Clock) -> Parts:
    clock.now += EVERY_S
    found = sampler.sample()
    assert found is not None
    return found


def test_told_now_and_then() -> None:
    """Not before EVERY_S have passed, and then again."""
    clock = Clock()
    sampler = PartsSampler(clock, lambda: {"lo"})

    assert sampler.sample() is None
    assert told(sampler, clock).cards[0].name == "lo"
    assert sampler.sample() is None


def test_mounts_are_what_the_kernel_says() -> None:
    """Each once, the fullest first, and none that can only be read."""
    clock = Clock()
    mounts = told(PartsSampler(clock, set), clock).mounts
    writable = {each.mountpoint for each in psutil.disk_partitions() if "ro" not in each.opts.split(",")}

    assert {each.path for each in mounts} <= {readable(path) for path in writable}
    assert [each.used / each.size for each in mounts] == sorted(
        (each.used / each.size for each in mounts), reverse=True
    )
    for each in mounts:
        assert each.used == pytest.approx(psutil.disk_usage(each.path).used, rel=0.05)


def test_bytes_on_a_card_are_its_rate() -> None:
    """What went over loopback shows on loopback, if that is asked for."""
    import socket

    clock = Clock()
    sampler = PartsSampler(clock, lambda: {"lo"})
    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        socket.create_connection(door.getsockname()) as sender,
    ):
        receiver, _ = door.accept()
        with receiver:
            sender.sendall(bytes(1_000_000))
            left = 1_000_000
            while left:
                left -= len(receiver.recv(65536))
    (card,) = told(sampler, clock).cards

    assert card.inwards * EVERY_S >= 1_000_000
    assert card.outwards * EVERY_S >= 1_000_000


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/srv/data", "/srv/data"),
        (os.fsdecode(b"/mnt/\xff\xfe"), "/mnt/??"),
        ("/mnt/a\nb\x1b[31m", "/mnt/a?b?[31m"),
        ("", "?"),
        ("/" + "x" * 200 + "/end", "…" + "x" * (LONGEST_PART - 5) + "/end"),
    ],
)
def test_names_are_told_so_that_they_can_be_shown(name: str, said: str) -> None:
    """Whatever somebody called a mount; and it can be written into a message."""
    assert readable(name) == said
    assert wire.encode(wire.Mount(said, 1.0, 2.0))


def test_a_host_of_many_parts_tells_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fullest mounts and the busiest cards; the message stays small."""
    clock = Clock()
    before = {f"card{n:03}": (0.0, 0.0) for n in range(500)}
    rates = parts._rates(before, {name: (float(n), 0.0) for n, name in enumerate(before)}, 1.0)

    assert [each.name for each in rates[:2]] == ["card499", "card498"]
    assert len(rates) == MOST_PARTS
    most = Parts([wire.Mount("x" * 64, 1.0, 1.0)] * 16, rates, rates)
    report = wire.Report(1, "h" * 63, dict.fromkeys("abcdef", 1.0), parts=most)
    assert len(wire.encode(report)) < 4096
    assert told(PartsSampler(clock, set), clock) is not None


def test_a_group_that_is_the_host_tells_none(tmp_path: Path) -> None:
    """The machine's disks are not its own."""
    clock = Clock()
    sampler = Sampler(clock, tmp_path, group_is_host=True)
    clock.now += EVERY_S

    assert sampler.parts() is None
    assert wire.decode_upward(wire.encode(wire.Report(1, "h1", {}))) == wire.Report(1, "h1", {})


def test_it_costs_next_to_nothing(tmp_path: Path) -> None:
    """Once every EVERY_S, well below a tenth of a per cent of a core here."""
    clock = Clock()
    sampler = Sampler(clock, tmp_path)
    began = time.process_time()
    for _ in range(20):
        clock.now += EVERY_S
        assert sampler.parts() is not None
    each_s = (time.process_time() - began) / 20

    assert each_s / EVERY_S < 0.002
