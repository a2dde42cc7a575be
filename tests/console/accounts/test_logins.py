"""Guessing passwords is slow, and logging in is not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from console_racing import at_once
from django.test import Client
from django.utils import timezone

from console.accounts.actions import logins
from console.accounts.actions.logins import (
    FREE_ACCOUNT,
    FREE_ADDRESS,
    LONGEST_S,
    CountTry,
    TooManyTries,
    wait_s,
)
from console.accounts.models import LoginTries
from console.actions import SYSTEM
from console.events.models import Event
from console.events.tasks import keep_house

PASSWORD = "correct horse battery"


def login(account: str = "a-viewer", password: str = "wrong", address: str = "192.0.2.1") -> Any:
    return Client(REMOTE_ADDR=address).post("/login/", {"username": account, "password": password})


def guess(times: int, **who: str) -> list[int]:
    return [login(**who).status_code for _ in range(times)]


def reopen() -> None:
    """As if the wait were over."""
    LoginTries.objects.update(closed_until=timezone.now())


@pytest.fixture(autouse=True)
def account(cluster: Any, user: Any) -> Any:
    return user("viewer")


def test_after_some_wrong_tries_even_the_right_password_waits() -> None:
    """429 with how long, on the page and as a header; afterwards it is let in, and the count is forgotten."""
    assert guess(FREE_ACCOUNT) == [200] * FREE_ACCOUNT

    closed = login(password=PASSWORD)

    assert closed.status_code == 429
    assert 1 <= int(closed["Retry-After"]) <= 31
    assert "Too many wrong tries" in closed.content.decode()
    assert PASSWORD not in closed.content.decode()
    reopen()
    assert login(password=PASSWORD).status_code == 302
    assert guess(FREE_ACCOUNT - 1) == [200] * (FREE_ACCOUNT - 1)
    assert login(password=PASSWORD).status_code == 302


def test_each_further_wrong_try_closes_for_longer() -> None:
    """Twice as long, up to a quarter of an hour; asking while it is closed prolongs nothing."""
    assert [wait_s(tries, 5) for tries in (4, 5, 6, 7, 10, 5000)] == [0, 30, 60, 120, LONGEST_S, LONGEST_S]
    guess(FREE_ACCOUNT)
    reopen()
    login()
    until = LoginTries.objects.latest("closed_until").closed_until

    assert guess(3) == [429] * 3
    assert until == LoginTries.objects.latest("closed_until").closed_until
    assert timedelta(seconds=50) < until - timezone.now() <= timedelta(seconds=60)


def test_others_are_not_kept_out(user: Any) -> None:
    """The same account from elsewhere, and another account from there."""
    user("operator")
    guess(FREE_ACCOUNT + 1)

    assert login(password=PASSWORD, address="192.0.2.2").status_code == 302
    assert login("a-operator", PASSWORD).status_code == 302


def test_one_address_can_not_try_all_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many accounts with one password each: the address is closed, for accounts that it did not try too."""
    codes = [login(f"nobody-{number}").status_code for number in range(FREE_ADDRESS + 2)]

    assert codes == [200] * FREE_ADDRESS + [429] * 2
    assert login(password=PASSWORD).status_code == 429
    assert login(password=PASSWORD, address="192.0.2.9").status_code == 302


def test_logging_in_often_closes_nothing() -> None:
    """Right passwords are not counted, however many come from one address."""
    assert [login(password=PASSWORD).status_code for _ in range(FREE_ADDRESS + 5)] == [302] * (
        FREE_ADDRESS + 5
    )
    assert LoginTries.objects.get().tries == 0


def test_an_unknown_account_is_answered_as_a_known_one() -> None:
    """Status and words are the same, before and after it is closed; the audit trail does not keep what was typed."""
    known = [login() for _ in range(FREE_ACCOUNT + 1)]
    unknown = [login("hunter2 hunter2") for _ in range(FREE_ACCOUNT + 1)]

    assert [each.status_code for each in known] == [each.status_code for each in unknown]
    assert known[0].content.decode().count('role="alert"') == unknown[0].content.decode().count(
        'role="alert"'
    )
    events = Event.objects.filter(action="account.login-closed")
    assert sorted(events.values_list("subject", flat=True)) == ["a-viewer", "unknown"]
    assert {each.address for each in events} == {"192.0.2.1"}
    assert "hunter2" not in str(list(events.values())) + str(list(LoginTries.objects.values()))


def test_many_at_once_are_no_way_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twenty tries at the same moment, five look at the password."""
    results = at_once(*(lambda: CountTry("a-viewer", "192.0.2.1").run(SYSTEM) for _ in range(20)))

    assert sum(each is None for each in results) == FREE_ACCOUNT
    assert sum(isinstance(each, TooManyTries) for each in results) == 20 - FREE_ACCOUNT, results


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("", "192.0.2.1", False),
    ],
)
def test_an_ipv6_network_is_one_address(first: str, second: str, same: bool) -> None:
    """Whoever has a /64 has all of it."""
    assert (logins._keys("a", first) == logins._keys("A", second)) == same


def test_an_incomplete_form_is_no_try() -> None:
    """Nothing was guessed, so nothing is counted or kept."""
    for body in ({}, {"username": "a-viewer"}, {"password": "x"}, {"username": "\0", "password": "x"}):
        assert Client().post("/login/", body).status_code == 200

    assert not LoginTries.objects.exists()


def test_old_tries_are_forgotten() -> None:
    """An hour after the last one the count begins anew; after a day the row is gone."""
    guess(FREE_ACCOUNT - 1)
    LoginTries.objects.update(last_at=timezone.now() - timedelta(hours=2))
    assert guess(FREE_ACCOUNT) == [200] * FREE_ACCOUNT
    LoginTries.objects.update(last_at=timezone.now() - timedelta(days=2))

    keep_house()

    assert not LoginTries.objects.exists()
