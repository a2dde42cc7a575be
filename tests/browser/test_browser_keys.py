"""Numbers of rows by keyboard in a real browser, and who does not want single keys."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from browser_rig import AXE
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

#: Where the rows of the live table lead, from the top.
LINKS = """
    const rows = [...document.querySelectorAll("host-grid .rows > .row:not([hidden])")];
    rows.sort((a, b) => a.ariaRowIndex - b.ariaRowIndex);
    return rows.map((row) => row.querySelector("a").pathname);
"""


@pytest.fixture
def hosts(stack: Any, browser: Any) -> Iterator[list[str]]:
    """The list of hosts, and where its rows lead; Shift is let go afterwards."""
    browser.driver.get(stack.url + "/hosts/")
    browser.wait(lambda: browser.text("live-indicator") == "Live", "the live feed")
    yield browser.wait(lambda: browser.script(LINKS), "the live table")
    ActionChains(browser.driver).key_up(Keys.SHIFT).perform()


def hold(browser: Any) -> ActionChains:
    return ActionChains(browser.driver).key_down(Keys.SHIFT)


def numbers(browser: Any) -> list[str]:
    return browser.script("""
        const shown = [...document.querySelectorAll(".work [data-number]")];
        shown.sort((a, b) => a.dataset.number - b.dataset.number);
        return shown.map((each) => `${each.dataset.number} ${each.pathname}`);
    """)


def test_shift_shows_the_rows_numbers_and_a_digit_opens_one(
    hosts: list[str], stack: Any, browser: Any
) -> None:
    """Every row that leads somewhere has one, in their order; they go with the key; the digit opens its row."""
    hold(browser).perform()
    shown = browser.wait(lambda: numbers(browser), "the numbers")
    if folder := os.environ.get("STEELYARD_LOOK"):
        browser.driver.save_screenshot(f"{folder}/rows.png")
    ActionChains(browser.driver).key_up(Keys.SHIFT).perform()
    after = numbers(browser)
    hold(browser).send_keys("2").key_up(Keys.SHIFT).perform()
    browser.wait(lambda: browser.driver.current_url == stack.url + hosts[1], "the second row's page")

    assert shown == [f"{place} {path}" for place, path in enumerate(hosts, start=1)]
    assert after == []


def test_a_number_that_may_go_on_waits_for_shift(stack: Any, browser: Any) -> None:
    """With twelve rows, 1 may be the first or the beginning of 12: letting go decides, a second digit as well."""
    browser.driver.get(stack.url + "/shards/")
    browser.script("""
        const rows = Array.from({ length: 12 }, (_, place) => {
          const row = document.createElement("tr");
          const link = Object.assign(document.createElement("a"), { href: `#row-${place + 1}`, textContent: "row" });
          row.insertCell().append(link);
          return row;
        });
        const table = Object.assign(document.createElement("table"), { className: "list" });
        table.createTBody().append(...rows);
        document.getElementById("work").replaceChildren(table);
    """)
    hold(browser).send_keys("1").perform()
    waiting = browser.driver.current_url
    ActionChains(browser.driver).send_keys("2").perform()
    twelfth = browser.driver.current_url
    ActionChains(browser.driver).key_up(Keys.SHIFT).perform()
    hold(browser).send_keys("1").key_up(Keys.SHIFT).perform()

    assert "#" not in waiting
    assert twelfth.endswith("#row-12")
    assert browser.driver.current_url.endswith("#row-1")


def test_digits_in_a_text_are_text(hosts: list[str], stack: Any, browser: Any) -> None:
    """Who types capital letters and signs goes nowhere and sees no numbers."""
    browser.one(".filters [name=q]").click()
    hold(browser).send_keys("a2").perform()
    shown = numbers(browser)
    ActionChains(browser.driver).key_up(Keys.SHIFT).perform()

    assert shown == []
    # The live table narrows as one types, and says so in the address.
    assert browser.driver.current_url.partition("?")[0] == stack.url + "/hosts/"
    assert browser.one(".filters [name=q]").get_attribute("value") != ""


def test_who_switched_single_keys_off_is_left_alone(hosts: list[str], stack: Any, browser: Any) -> None:
    """No numbers, no letters, no slash; the palette opens by its chord, which is no single key."""

    def keep(value: str) -> None:
        browser.driver.execute_async_script(
            """
            const [value, done] = arguments;
            const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
            const headers = { "X-CSRFToken": token, "Content-Type": "application/json" };
            fetch("/api/v1/preferences/keys/", { method: "PUT", headers, body: value }).then(({ ok }) => done(ok));
            """,
            value,
        )

    keep(json.dumps({"document": False}))
    try:
        browser.driver.refresh()
        hold(browser).send_keys("2").key_up(Keys.SHIFT).perform()
        browser.one("body").send_keys("/")
        opened = browser.script("return document.querySelectorAll('dialog[open]').length")
        ActionChains(browser.driver).key_down(Keys.CONTROL).send_keys("k").key_up(Keys.CONTROL).perform()
        by_chord = browser.script("return document.getElementById('palette').open")
        footer = browser.text(".foot-strip > .note")
    finally:
        keep(json.dumps({"document": True}))

    assert (opened, by_chord) == (0, True)
    assert browser.driver.current_url == stack.url + "/hosts/"
    assert footer == "Ctrl K search"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_numbers_are_shown(scheme: str, hosts: list[str], browser: Any) -> None:
    """The list with its numbers, and the sheet of keys."""
    browser.scheme(scheme)
    browser.driver.execute_script(AXE.read_text())
    hold(browser).perform()
    browser.wait(lambda: numbers(browser), "the numbers")
    look = (
        "const done = arguments[0]; axe.run('main, #keys').then(({ violations }) => done(violations.map("
        "({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.html.slice(0, 200))])))"
    )
    rows = browser.driver.execute_async_script(look)
    ActionChains(browser.driver).key_up(Keys.SHIFT).perform()
    browser.one("body").send_keys("?")
    browser.wait(lambda: browser.script("return document.getElementById('keys').open"), "the sheet")
    sheet = browser.driver.execute_async_script(look)
    if folder := os.environ.get("STEELYARD_LOOK"):
        browser.driver.save_screenshot(f"{folder}/keys-{scheme}.png")
    browser.one("#keys button").click()

    assert (rows, sheet) == ([], []), json.dumps([rows, sheet], indent=1)
