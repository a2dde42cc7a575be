"""Logging in as people do, in the running product: an authenticator app that is demanded, a key, an OpenID provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from authenticator_app import App
from browser_rig import AXE, Browser
from oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions
from stack_rig import WHO, Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

VIOLATIONS = (
    "const done = arguments[0]; axe.run().then(({ violations }) => done(violations.map("
    "({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.html.slice(0, 200))])))"
)


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The product with a provider configured, and a second factor demanded of administrators."""
    (tmp_path / "client").write_text(CLIENT_SECRET)
    stack = Stack(tmp_path)
    with Provider() as provider:
        for name, value in {
            "STEELYARD_OIDC_ISSUER": provider.issuer,
            "STEELYARD_OIDC_CLIENT_ID": CLIENT_ID,
            "STEELYARD_OIDC_SECRET_FILE": str(tmp_path / "client"),
            "STEELYARD_OIDC_ROLES": "ops=operator",
            "STEELYARD_OIDC_NAME": "the house",
            "STEELYARD_SECOND_FACTOR": "admin",
        }.items():
            monkeypatch.setenv(name, value)
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Browser]:
    """A browser that is not logged in."""
    made = Browser(tmp_path / "chromium")
    try:
        yield made
    finally:
        made.driver.quit()


def fill(browser: Browser, **values: str) -> None:
    for name, value in values.items():
        browser.driver.find_element("name", name).send_keys(value)


def check(browser: Browser) -> list[Any]:
    """What axe finds in both schemes, and whether the page is wider than a phone."""
    found: list[Any] = []
    for scheme in ("dark", "light"):
        browser.scheme(scheme)
        browser.driver.execute_script(AXE.read_text())
        found += browser.driver.execute_async_script(VIOLATIONS)
    browser.size(390, 844)
    if browser.script("return document.documentElement.scrollWidth > innerWidth"):
        found.append("wider than a phone")
    browser.size(1440, 900)
    return found


def enter_with_key(console: Stack, visitor: Browser, codes: list[str]) -> list[Any]:
    """Add a key to the account and log in with it. Keys belong to a name: here to localhost."""
    local = console.url.replace("127.0.0.1", "localhost")
    visitor.driver.get(f"{console.url}/settings/second-factor/")
    visitor.wait(
        lambda: "Keys belong to a name" in visitor.text("[data-said]"),
        "why no key can be asked at an address",
    )
    visitor.driver.add_virtual_authenticator(VirtualAuthenticatorOptions())
    visitor.driver.get(f"{local}/login/?next=/settings/second-factor/")
    fill(visitor, username=WHO[0], password=WHO[1])
    visitor.one("button").click()
    visitor.wait(lambda: visitor.text("h1") == "The second step", "the second step")
    fill(visitor, code=codes[0])
    visitor.one("button").click()
    visitor.wait(lambda: visitor.text("h1") == "Your second factor", "the page of the second factor")
    for name, value in {"code": codes[1], "name": "on the ring"}.items():
        visitor.one(f"form[data-key] [name={name}]").send_keys(value)
    visitor.one("form[data-key] button").click()
    visitor.wait(lambda: "The key is added" in visitor.text(".messages"), "the new key")
    found = check(visitor)
    visitor.driver.delete_all_cookies()
    visitor.driver.get(f"{local}/login/")
    fill(visitor, username=WHO[0], password=WHO[1])
    visitor.one("button").click()
    visitor.wait(lambda: visitor.script("return document.querySelector('form[data-key] button')?.disabled === false"),
                 "the second step with a key")  # fmt: skip
    found += check(visitor)
    visitor.one("form[data-key] button").click()
    visitor.wait(lambda: visitor.text("live-indicator") == "Live", "the live map, by the key")
    return found


def test_people_log_in_by_app_by_key_and_by_provider(console: Stack, visitor: Browser) -> None:
    """The administrator is led to the app before anything else, and asked for its code at the next login, or for a key;
    somebody of the provider's comes in by one click. Every page on the way is as accessible as the others."""
    found = {}
    visitor.driver.get(console.setup)
    fill(visitor, username=WHO[0], password=WHO[1])
    visitor.one("button").click()
    visitor.wait(lambda: visitor.text("h1") == "Set up a second factor", "the second factor")
    found["set up"] = check(visitor)
    app = App(visitor.text("#secret"))
    fill(visitor, password=WHO[1], code=app.code())
    visitor.one("button").click()
    visitor.wait(lambda: visitor.text("h1") == "Recovery codes", "the recovery codes")
    found["codes"] = check(visitor)
    codes = [each.text for each in visitor.driver.find_elements("css selector", ".codes code")]
    visitor.one("a.primary").click()
    visitor.wait(lambda: visitor.text("live-indicator") == "Live", "the live map")

    visitor.driver.get(f"{console.url}/settings/second-factor/")
    found["present"] = check(visitor)
    visitor.driver.delete_all_cookies()
    visitor.driver.get(f"{console.url}/login/")
    found["login"] = check(visitor)
    fill(visitor, username=WHO[0], password=WHO[1])
    visitor.one("button").click()
    visitor.wait(lambda: visitor.text("h1") == "The second step", "the second step")
    found["second step"] = check(visitor)
    fill(visitor, code=app.code(30))
    visitor.one("button").click()
    visitor.wait(lambda: visitor.text("live-indicator") == "Live", "the live map")

    found["key"] = enter_with_key(console, visitor, codes)

    visitor.driver.get(f"{console.url}/login/")  # away from localhost: cookies are a name's
    visitor.driver.delete_all_cookies()
    visitor.driver.get(f"{console.url}/hosts/")
    visitor.one("main a.button").click()
    visitor.wait(lambda: visitor.driver.current_url == f"{console.url}/hosts/", "the hosts, by the provider")
    assert visitor.text(".user-name") == "grace"

    assert {page: what for page, what in found.items() if what} == {}
    assert visitor.faults() == []
