"""Frames for browsers: deltas that add up to snapshots, and when a snapshot is sent instead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from console.live.frames import BYTES_A_HOST, DELTA, HEADER, SNAPSHOT, Columns, Frames, encode_snapshot

HOSTS = 200


def made(rng: np.random.Generator, directory: int = 1) -> Columns:
    """Columns with any bytes."""
    four = rng.integers(0, 255, (2, HOSTS, 4), dtype=np.uint8)
    state = rng.integers(0, 16, HOSTS, dtype=np.uint8)
    return Columns(four[0], four[1], state, rng.uniform(0, 90, HOSTS), directory)


def changed(columns: Columns, rows: list[int], now: float) -> Columns:
    """The same, after some hosts reported other figures."""
    used, reported_at = columns.used.copy(), columns.reported_at.copy()
    used[rows] ^= 1
    reported_at[rows] = now
    return replace(columns, used=used, reported_at=reported_at)


def apply(table: np.ndarray, raw: bytes) -> np.ndarray:
    """A frame put on what a browser holds: uint8[HOSTS, BYTES_A_HOST]."""
    _, kind, count, _, _, hosts = HEADER.unpack_from(raw)
    body = raw[HEADER.size :]
    rows = np.arange(hosts)
    if kind == DELTA:
        rows, body = np.frombuffer(body, "<u2", count), body[2 * count :]
    at = 0
    after = table.copy()
    for start, width in ((0, 4), (4, 4), (8, 1), (9, 1)):
        part = np.frombuffer(body, np.uint8, width * len(rows), at).reshape(len(rows), width)
        after[rows, start : start + width] = part
        at += width * len(rows)
    assert at == len(body)
    return after


def test_deltas_add_up_to_the_snapshot() -> None:
    """Whoever took a snapshot and each delta since holds what a new snapshot says, but for ages that grew."""
    rng = np.random.default_rng(1)
    frames, now, columns = Frames(), 100.0, made(np.random.default_rng(2))
    held = apply(np.zeros((HOSTS, BYTES_A_HOST), np.uint8), frames.tick(columns, now))
    for _ in range(20):
        now += 0.5
        columns = changed(columns, rng.choice(HOSTS, 30, replace=False).tolist(), now)
        raw = frames.tick(columns, now)
        assert raw[1] == DELTA
        held = apply(held, raw)

    whole = apply(np.zeros((HOSTS, BYTES_A_HOST), np.uint8), frames.snapshot(now))
    assert (held[:, :9] == whole[:, :9]).all()
    assert frames.seq == 21


def test_a_delta_names_only_what_changed_or_reported() -> None:
    """Nothing new is a header alone; a report of the same figures counts, for its age."""
    frames, columns = Frames(), made(np.random.default_rng(3))
    frames.tick(columns, 100.0)
    nothing = frames.tick(columns, 100.5)
    reported_at = columns.reported_at.copy()
    reported_at[7] = 101.0
    one = frames.tick(replace(columns, reported_at=reported_at), 101.0)

    assert len(nothing) == HEADER.size
    assert (HEADER.unpack_from(one)[2], len(one)) == (1, HEADER.size + 2 + BYTES_A_HOST)
    assert (int.from_bytes(one[16:18], "little"), one[-1]) == (7, 0)


@pytest.mark.parametrize("why", ["another directory", "all changed"])
def test_a_snapshot_is_sent_where_a_delta_would_not_do(why: str) -> None:
    """Rows that mean other hosts, or more bytes than all hosts take."""
    frames, columns = Frames(), made(np.random.default_rng(4))
    frames.tick(columns, 100.0)
    after = (
        replace(columns, directory=2)
        if why == "another directory"
        else changed(columns, [*range(HOSTS)], 101.0)
    )

    assert frames.tick(after, 101.0)[1] == SNAPSHOT


def test_all_who_ask_get_the_same_bytes() -> None:
    """A snapshot is encoded once a tick, and is that of the last tick."""
    frames, columns = Frames(), made(np.random.default_rng(5))
    with pytest.raises(RuntimeError):
        frames.snapshot(100.0)
    frames.tick(columns, 100.0)
    first = frames.snapshot(100.0)

    assert frames.snapshot(100.2) is first
    assert first == encode_snapshot(columns, 1, 100.0)
