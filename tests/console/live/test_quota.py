"""Within which periods the kernel limits a host's cpu: heard of an agent, told to other processes."""

from __future__ import annotations

import time
from typing import Any

from agents.wire import Quota, Report
from console.live import feed
from console.live.ingest import take
from console.live.picture import Picture, picture
from console.live.ticks import decode_tick

QUOTA = Quota(0.25, 0.1)


def test_every_report_says_it_and_other_processes_hear_of_it(cluster: Any) -> None:
    """A report without one takes it away, here and there; so does the word of an older agent, which never has one."""
    cluster.add("web-1")
    other = Picture()
    other.load()
    running = feed.Feed()
    for seq, quota in enumerate([QUOTA, Quota(0.5, 0.05), None], 1):
        assert take(picture, "web-1", seq - 1, Report(seq, "web-1", {"cpu": 1.0}, quota=quota)) is None
        assert picture.quota("web-1") == quota

        other.take_tick(decode_tick(running._encode(["web-1"])), time.monotonic())
        assert other.quota("web-1") == quota
    assert picture.quota("nobody") is None
