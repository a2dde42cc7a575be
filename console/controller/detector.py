"""The failure detector: which hosts' agents have gone silent, and when so many have that the fault is ours.

Pure: times are arguments. A host is lost after LOST_AFTER_S without a report; it is back with RETURN_REPORTS
reports in a row, so that one that flaps is not believed at once. When more than MASS_SHARE of the hosts (and more
than MASS_HOSTS) have fallen silent together, nobody is declared lost: a network or a broker between us and them is
likelier than so many deaths at once, and acting on it would do what the failure has not done. The same holds while
this side knows that it hears nobody: the hosts' silence then begins when it hears again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

LOST_AFTER_S = 8.0
RETURN_REPORTS = 2
MASS_SHARE = 0.3
MASS_HOSTS = 3


@dataclass
class Verdict:
    """What to do now: hosts to mark lost and found. isolated: the mass-silence guard holds back."""

    lost: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    isolated: bool = False


class Detector:
    def __init__(self, started_at: float) -> None:
        # Since when a host could have been heard here.
        self._hearing_since = started_at
        self._last: dict[str, float] = {}
        self._since_lost: dict[str, int] = {}

    def heard(self, host: str, now: float) -> None:
        """A report of this host came."""
        self._last[host] = now
        if host in self._since_lost:
            self._since_lost[host] += 1

    def hears_again(self, now: float) -> None:
        """The way by which reports come here was closed until now."""
        self._hearing_since = now

    def judge(self, hosts: Iterable[tuple[str, bool]], now: float, *, hearing: bool = True) -> Verdict:
        """hosts: every host's name and whether it counts as lost already. hearing: whether reports can come here."""
        if not hearing:
            return Verdict(isolated=True)
        known = dict(hosts)
        for name in (set(self._last) | set(self._since_lost)) - set(known):
            self._last.pop(name, None)
            self._since_lost.pop(name, None)
        silent = {name for name in known if now - self._heard_at(name) > LOST_AFTER_S}
        fresh = [name for name in known if name in silent and not known[name]]
        for name in self._since_lost.keys() & silent:
            self._since_lost[name] = 0
        verdict = Verdict()
        alive = sum(not lost for lost in known.values())
        if len(fresh) > MASS_HOSTS and len(fresh) > MASS_SHARE * alive:
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
        return max(self._last.get(name, self._hearing_since), self._hearing_since)
