"""The failure detector and a host that joins long after the controller began."""

from __future__ import annotations

from console.controller.detector import LOST_AFTER_S, Detector


def test_newcomer_is_silent_only_since_it_is_known() -> None:
    """It gets the whole time to its first report; only when that is over it is lost."""
    detector = Detector(started_at=0.0)
    detector.judge([("old", False)], 1.0)

    def judge(now: float) -> list[str]:
        detector.heard("old", now)
        return detector.judge([("old", False), ("new", False)], now).lost

    assert judge(1000.0) == []
    assert judge(1000.0 + LOST_AFTER_S) == []
    assert judge(1000.1 + LOST_AFTER_S) == ["new"]
