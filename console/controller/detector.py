"""The failure detector: which hosts' agents have gone silent, and when so many have that the fault is ours.

Pure: times are arguments. A host is lost after LOST_AFTER_S without a report; it is back with RETURN_REPORTS
reports in a row, so that one that flaps is not believed at once. When more than MASS_SHARE of the hosts (and more
than MASS_HOSTS), or all of several, have fallen silent together, nobody is declared lost: a network, a broker or a
web process between us and them is likelier than so many deaths at once, and acting on it would do what the failure
has not done. The same holds while this side knows that it hears nobody: the hosts' silence then begins when it hears
again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

LOST_AFTER_S = 8.0
RETURN_REPORTS = 2
MASS_SHARE = 0.3
MASS_HOSTS = 3
#: Web processes speak every half second. After this long without a word from any, no host can be heard: shorter
#: than LOST_AFTER_S less a keepalive (5 s), or a host would count as lost before the deafness is noticed.
DEAF_AFTER_S = 2.5
#: When a web process is there again its agents come back within this, the longest pause between their attempts.
RECONNECT_S = 30.0


@dataclass
class Verdict:
    """What to do now: hosts to mark lost and found. isolated: the mass-silence guard holds back."""

    lost: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    isolated: bool = False


class Detector:
    def __init__(self, started_at: float) -> None:
        # Since when a host could have been heard here.
        self._hearing_since = self._spoken_at = started_at
        self._last: dict[str, float] = {}
        # When a host was first judged here: one that has just joined has been silent since then, no longer.
        self._known_since: dict[str, float] = {}
        self._since_lost: dict[str, int] = {}

    def heard(self, host: str, now: float) -> None:
        """A report of this host came."""
        self._last[host] = now
        if host in self._since_lost:
            self._since_lost[host] += 1

    def spoke(self, now: float) -> None:
        """A web process said something, be it that nobody reported to it."""
        if not self.hears(now):
            self.hears_again(now + RECONNECT_S)
        self._spoken_at = now

    def hears(self, now: float) -> bool:
        """Whether any web process is there for agents to report to."""
        return now - self._spoken_at <= DEAF_AFTER_S

    def hears_again(self, now: float) -> None:
        """The way by which reports come here was closed until now."""
        self._hearing_since = max(self._hearing_since, now)

    def judge(self, hosts: Iterable[tuple[str, bool]], now: float, *, hearing: bool = True) -> Verdict:
        """hosts: every host's name and whether it counts as lost already. hearing: whether reports can come here."""
        if not hearing:
            return Verdict(isolated=True)
        known = dict(hosts)
        for name in known:
            self._known_since.setdefault(name, now)
        for name in (set(self._known_since) | set(self._last) | set(self._since_lost)) - set(known):
            self._known_since.pop(name, None)
            self._last.pop(name, None)
            self._since_lost.pop(name, None)
        silent = {name for name in known if now - self._heard_at(name) > LOST_AFTER_S}
        fresh = [name for name in known if name in silent and not known[name]]
        for name in self._since_lost.keys() & silent:
            self._since_lost[name] = 0
        verdict = Verdict()
        alive = sum(not lost for lost in known.values())
        many = len(fresh) > MASS_HOSTS and len(fresh) > MASS_SHARE * alive
        if many or 1 < len(fresh) == alive:
            verdict.isolated = True
        else:
            verdict.lost = fresh
            for name in fresh:
                self._since_lost[name] = 0
        for name, lost in known.items():
            if lost and name in self._last and now - self._last[name] <= LOST_AFTER_S:
                if self._since_lost.setdefault(name, 1) >= RETURN_REPORTS:
                    verdict.found.append(name)
                    del self._since_lost[name]
        return verdict

    def _heard_at(self, name: str) -> float:
        return max(self._last.get(name, self._known_since.get(name, -math.inf)), self._hearing_since)
