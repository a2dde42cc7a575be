"""Slowing down who guesses passwords.

Every try is counted before the password is looked at, so that many at once are no way around it, and taken back
when the password was right. Counted are the account from this address, and the address alone, for those who
try one password on many accounts. Once FREE tries of either were wrong, each further one closes it for twice as
long, up to LONGEST_S. What is closed is not counted on: nobody can keep a person out by asking ever again.
Accounts that do not exist are treated alike: an answer says nothing about who is known.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from agents.wire import digest
from console.accounts.models import LoginTries, User
from console.actions import Action, Actor

#: Wrong tries before the first wait: of an account from one address, and of an address whatever the account.
FREE_ACCOUNT, FREE_ADDRESS = 5, 50
SHORTEST_S, LONGEST_S = 30, 900

#: What is tried of an account: its password, or (second_factor.py) a code. Being right with one takes nothing back of
#: the other.
ACCOUNT = "account"

#: Without a wrong try for so long, the count begins anew.
FORGET = timedelta(hours=1)


class TooManyTries(Exception):
    """No further try now."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"Too many wrong tries. Wait {wait_s} s, then try again.")
        self.wait_s = wait_s


def wait_s(tries: int, free: int) -> int:
    """How long is closed after so many wrong tries."""
    return 0 if tries < free else min(SHORTEST_S * 2 ** min(tries - free, 10), LONGEST_S)


@dataclass
class CountTry(Action[None]):
    """Count one try to log in as wrong, until TakeBack says that it was right. Raises TooManyTries uncounted."""

    account: str
    address: str
    kind: str = ACCOUNT

    NAME = "account.login-closed"

    def execute(self, actor: Actor) -> None:
        rows = []
        for key, free in _keys(self.account, self.address, self.kind):
            made = timezone.now()
            LoginTries.objects.get_or_create(key=key, defaults={"last_at": made, "closed_until": made})
            rows.append((LoginTries.objects.select_for_update().get(key=key), free))
        # Read when the rows are ours: whoever held them before may have closed them until later than a time read
        # while waiting.
        now = timezone.now()
        if (left := max(row.closed_until - now for row, _ in rows)) > timedelta():
            raise TooManyTries(int(left.total_seconds()) + 1)
        for row, free in rows:
            row.tries = 1 if now - row.last_at > FORGET else row.tries + 1
            wait = wait_s(row.tries, free)
            row.last_at, row.closed_until = now, now + timedelta(seconds=wait)
            row.save()
            if wait:
                self._record_closed(actor, of_account=free == FREE_ACCOUNT, wait=wait)

    def _record_closed(self, actor: Actor, *, of_account: bool, wait: int) -> None:
        # A name that is none may be a password in the wrong field.
        known = User.objects.filter(username=self.account).exists()
        subject = (self.account if known else "unknown") if of_account else "any"
        self.record(actor, "account", subject, after={"address": self.address, "closed_s": wait})


@dataclass
class TakeBack(Action[None]):
    """The password was right: the account's tries from this address are forgotten, the address's has one less."""

    account: str
    address: str
    kind: str = ACCOUNT

    NAME = "account.login"

    def execute(self, actor: Actor) -> None:
        (of_account, _), (of_address, _) = _keys(self.account, self.address, self.kind)
        LoginTries.objects.filter(key=of_account).delete()
        row = LoginTries.objects.select_for_update().filter(key=of_address).first()
        if row is not None and row.tries:
            row.tries, row.closed_until = row.tries - 1, timezone.now()
            row.save()


def _keys(account: str, address: str, kind: str = ACCOUNT) -> tuple[tuple[str, int], tuple[str, int]]:
    """What is counted, and its free tries. Digests: the table says nothing about who tried from where."""
    network = _network(address)
    of_account = digest(f"{kind}\n{network}\n{account.casefold()}")
    return (of_account, FREE_ACCOUNT), (digest(f"address\n{network}"), FREE_ADDRESS)


def _network(address: str) -> str:
    """The address, of IPv6 the /64 of which one machine has all."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped or ipaddress.ip_network((parsed, 64), strict=False).network_address)
