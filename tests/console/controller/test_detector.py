"""The failure detector, with times as arguments."""

from __future__ import annotations

from console.controller.detector import LOST_AFTER_S, Detector

SILENCE = LOST_AFTER_S + 0.1


def heard(detector: Detector, names: str, now: float) -> None:
    for name in names:
        detector.heard(name, now)


def alive(names: str) -> list[tuple[str, bool]]:
    return [(name, False) for name in names]


def test_a_silent_host_is_lost_and_the_others_are_not() -> None:
    """After LOST_AFTER_S, not before; also one that was never heard, counted from when it was first known."""
    detector = Detector(0.0)
    detector.judge(alive("abc"), 1.0)
    heard(detector, "ab", 1.0)
    heard(detector, "a", 5.0)

    assert [] == detector.judge(alive("abc"), LOST_AFTER_S).lost
    assert ["b", "c"] == detector.judge(alive("abcd"), 1.0 + SILENCE).lost


def test_a_lost_host_is_found_after_reports_in_a_row() -> None:
    """One report of a host that flaps is not believed; a silence between begins the count again."""
    detector = Detector(0.0)
    detector.judge(alive("a"), 0.0)
    assert ["a"] == detector.judge(alive("a"), SILENCE).lost
    lost = [("a", True)]

    detector.heard("a", 10.0)
    assert [] == detector.judge(lost, 10.0).found
    assert [] == detector.judge(lost, 10.0 + SILENCE).found
    detector.heard("a", 30.0)
    assert [] == detector.judge(lost, 30.0).found
    detector.heard("a", 31.0)
    assert ["a"] == detector.judge(lost, 31.0).found


def test_a_host_lost_under_an_earlier_leader_is_found() -> None:
    """A new detector learns that it is lost from the database only."""
    detector = Detector(0.0)
    for now in (1.0, 2.0, 3.0):
        detector.heard("a", now)
        found = detector.judge([("a", True)], now).found
        if found:
            break

    assert ["a"] == found
    assert now <= 2.0


def test_many_at_once_are_not_declared_lost() -> None:
    """The fault is likelier here: isolated, nobody lost, until some are heard again."""
    detector = Detector(0.0)
    names = "abcdefghij"
    heard(detector, names, 1.0)
    heard(detector, names[4:], 1.0 + SILENCE)

    verdict = detector.judge(alive(names), 1.0 + SILENCE)

    assert (True, []) == (verdict.isolated, verdict.lost)
    heard(detector, "abc", 2.0 + SILENCE)
    assert ["d"] == detector.judge(alive(names), 2.0 + SILENCE).lost


def test_who_hears_nobody_judges_nobody() -> None:
    """While the broker is away, however few the hosts are; their silence begins when it is back."""
    detector = Detector(0.0)
    heard(detector, "ab", 1.0)

    verdict = detector.judge(alive("ab"), 100.0, hearing=False)
    assert (True, []) == (verdict.isolated, verdict.lost)
    detector.hears_again(100.0)

    assert [] == detector.judge(alive("ab"), 100.0 + LOST_AFTER_S).lost
    heard(detector, "b", 101.0)
    assert ["a"] == detector.judge(alive("ab"), 100.0 + SILENCE).lost


def test_all_of_several_are_not_declared_lost() -> None:
    """Two hosts that fall silent together: the web process between is likelier gone than both of them."""
    detector = Detector(0.0)
    heard(detector, "ab", 1.0)

    verdict = detector.judge(alive("ab"), 1.0 + SILENCE)

    assert (True, []) == (verdict.isolated, verdict.lost)
