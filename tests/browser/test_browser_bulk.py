"""Many at once in a real browser: by keyboard, by ranges, without scripts, on a phone; axe on each of its pages."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from browser_rig import AXE
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PORTS = (8101, 8102, 8103, 8104)


@pytest.fixture(scope="module")
def listed(stack: Any) -> str:
    """The list of the four endpoints of a service of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    endpoints = [word for port in PORTS for word in ("--endpoint", f"web-1:{port}")]
    stack.run("service", "create", "many", "--listen", listen, "--protocol", "http", *endpoints)
    return f"{stack.url}/endpoints/?service=many"


def boxes(browser: Any) -> list[Any]:
    return browser.driver.find_elements("css selector", "tbody input[name=on]")


def button(browser: Any, label: str) -> Any:
    return browser.driver.find_element("xpath", f"//main//button[normalize-space()='{label}']")


def seen(browser: Any, path: str) -> None:
    """Until the page that was asked for is there."""
    browser.wait(lambda: browser.driver.find_elements("xpath", path), path)


def states(browser: Any) -> list[str]:
    cells = browser.driver.find_elements("css selector", "tbody td:nth-child(4) .state")
    return [cell.text for cell in cells]


def violations(browser: Any) -> dict[str, Any]:
    """What axe says of the page, in both schemes, and what is wider than a phone."""
    found: dict[str, Any] = {}
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        browser.driver.execute_script(AXE.read_text())
        found[scheme] = browser.driver.execute_async_script(
            "const done = arguments[0]; axe.run().then(({ violations }) => done(violations.map("
            "({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.html.slice(0, 200))])))"
        )
    browser.scheme("light")
    browser.size(390, 844)
    width = browser.script("return document.documentElement.scrollWidth")
    found["wide"] = [width] if width > 390 else []
    browser.size(1440, 900)
    return {name: each for name, each in found.items() if each}


def test_chosen_by_keyboard_shown_done_and_taken_back(listed: str, browser: Any) -> None:
    """Space ticks, Enter asks, confirms and undoes; the count is spoken; no page of the way has a fault."""
    browser.driver.get(listed)
    browser.wait(lambda: browser.text("[data-count]") == "None chosen", "the count")
    boxes(browser)[0].send_keys(Keys.SPACE)
    boxes(browser)[2].send_keys(Keys.SPACE)
    assert browser.text("[data-count]") == "2 chosen"
    assert violations(browser) == {}

    button(browser, "Drain…").send_keys(Keys.ENTER)
    browser.wait(lambda: browser.text("h1") == "Drain 2 endpoints?", "what would happen")
    assert "2 would change" in browser.text(".verdict")
    assert violations(browser) == {}
    browser.one("#reason").send_keys("by keyboard")
    button(browser, "Drain what is ticked").send_keys(Keys.ENTER)
    browser.wait(lambda: "2 of 2 done" in browser.text(".verdict"), "what became of each")
    assert "by keyboard" in browser.text(".verdict")
    assert violations(browser) == {}
    outcome = browser.driver.current_url

    browser.driver.get(listed)
    assert states(browser) == ["draining", "active", "draining", "active"]
    browser.driver.get(outcome)
    button(browser, "Undo").send_keys(Keys.ENTER)
    browser.wait(lambda: browser.text("h1") == "Undo: drain endpoints", "how it was taken back")
    browser.driver.get(listed)
    assert states(browser) == ["active"] * 4
    assert browser.faults() == []


def test_a_range_and_all_of_a_page(listed: str, browser: Any) -> None:
    """Shift and a click tick what lies between; the head's box ticks all, or none, and shows what is so."""
    browser.driver.get(listed)
    browser.wait(lambda: browser.text("[data-count]") == "None chosen", "the count")
    rows = boxes(browser)
    rows[0].click()
    ActionChains(browser.driver).key_down(Keys.SHIFT).click(rows[2]).key_up(Keys.SHIFT).perform()
    assert [row.is_selected() for row in rows] == [True, True, True, False]
    assert browser.text("[data-count]") == "3 chosen"
    assert browser.script("return document.querySelector('[data-all]').indeterminate")

    browser.one("[data-all]").click()
    assert browser.text("[data-count]") == "4 chosen"
    browser.one("[data-all]").click()
    assert browser.text("[data-count]") == "None chosen"
    browser.one("[data-every]").click()
    assert browser.text("[data-count]") == "All chosen"


def test_it_needs_no_script(listed: str, browser: Any) -> None:
    """With scripts switched off the same ticks, buttons and pages do it, closing and resuming too."""
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        for label, wanted in (("Close", "closed"), ("Resume", "active")):
            browser.driver.get(listed)
            boxes(browser)[1].click()
            button(browser, f"{label}…").click()
            seen(browser, f"//h1[normalize-space()='{label} 1 endpoint?']")
            button(browser, f"{label} what is ticked").click()
            seen(browser, "//p[contains(., '1 of 1 done')]")
            browser.driver.get(listed)
            assert states(browser) == ["active", wanted, "active", "active"]
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
