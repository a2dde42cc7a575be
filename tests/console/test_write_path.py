"""What every write goes through: statements composed once, one writer at a time, bells not too often."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.db import IntegrityError, connection, transaction

from console.events.models import Event
from console.live import bells
from console.live.threads import hold_open
from console.placements.models import Decision
from console.rows import insert
from console.turns import writing


def an_event(**changes: object) -> Event:
    return Event(**{
        "actor_kind": "user", "actor": "ann", "action": "x.y", "subject_kind": "host", "subject": "h",
        "after": {"a": [1.5, None, "ü"]}, "reason": "100 % 's", **changes,
    })  # fmt: skip


def insert_twice() -> None:
    """A row and its repeat, which the database refuses."""
    decision = Decision(kind="job", name="n", policy="spread", outcome="placed", sentence="s", document={})
    insert(decision)
    insert(decision)


def test_an_inserted_row_is_the_saved_row(database: None) -> None:
    """Field by field what save() writes, times of its own included."""
    written = an_event()
    insert(written)
    an_event().save(force_insert=True)
    second, first = Event.objects.all()

    for field in ("actor_kind", "actor", "address", "action", "subject_kind", "subject", "after", "reason"):
        assert getattr(second, field) == getattr(first, field)
    assert first.act == written.act
    assert first.at == written.at


def test_a_key_of_its_own_is_inserted(database: None) -> None:
    """A row that brings its key is found by it, and cannot be written twice."""
    decision = Decision(kind="job", name="n", policy="spread", outcome="placed", sentence="s", document={})
    insert(decision)

    assert Decision.objects.get(pk=decision.pk).name == "n"
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(decision)


def test_the_turn_ends_with_the_commit(database: None) -> None:
    """What follows a commit may wait for another thread that writes: it is that thread's turn by then."""
    done: list[str] = []

    def other() -> None:
        try:
            with writing():
                insert(an_event(actor="other"))
            done.append("other")
        finally:
            connection.close()

    def follow() -> None:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(20)
        done.append("follow")

    with writing():
        insert(an_event(actor="one"))
        transaction.on_commit(follow)

    assert done == ["other", "follow"]


def test_a_turn_that_fails_is_given_back(database: None) -> None:
    """After a rollback nothing is written, and the next writer is not kept waiting."""
    with pytest.raises(IntegrityError), writing():
        insert_twice()
    with writing(), writing():
        insert(an_event(actor="nested"))

    assert [event.actor for event in Event.objects.all()] == ["nested"]
    assert not Decision.objects.exists()


def test_a_held_database_can_be_let_go(database: None) -> None:
    """Held twice and let go twice, with the database usable in between and afterwards."""
    first, second = hold_open(), hold_open()
    insert(an_event())
    first()
    second()

    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    ("ring", "bell", "quiet"),
    [(bells.ring_placed, bells.ROOM, "_quiet_until"), (bells.ring_jobs, bells.JOBS, "_jobs_quiet_until")],
)
def test_what_happens_often_rings_seldom(
    monkeypatch: pytest.MonkeyPatch, ring: Callable[[], None], bell: bytes, quiet: str
) -> None:
    """Of many placements, or ends of jobs, at once one rings; after the quiet time the next does."""
    rung: list[bytes] = []
    monkeypatch.setattr(bells, "ring", lambda channel, payload: rung.append(payload))
    monkeypatch.setattr(bells, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    monkeypatch.setattr(bells, quiet, 0.0)
    for _ in range(5):
        ring()
    assert rung == [bell]
    monkeypatch.setattr(bells, quiet, 0.0)
    ring()

    assert rung == [bell] * 2
