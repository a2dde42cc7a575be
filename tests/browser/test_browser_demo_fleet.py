"""An empty console in a real browser: it leads to a first host or to the demo fleet, which fills every screen."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_rig import Browser
from stack_rig import WHO, Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture
def newcomer() -> Iterator[tuple[Stack, Browser]]:
    """A console that nobody has used, and its first administrator."""
    folders = [Path(tempfile.mkdtemp(prefix=each)) for each in ("empty", "chromium")]
    stack, browser = Stack(folders[0]), None
    try:
        stack.start()
        browser = Browser(folders[1])
        browser.become_administrator(stack.setup, WHO)
        yield stack, browser
    finally:
        if browser is not None:
            browser.close()
        stack.stop()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def click(browser: Any, label: str) -> None:
    """The link or button with this label."""
    browser.driver.find_element(
        "xpath", f"//main//*[self::a or self::button][normalize-space()='{label}']"
    ).click()


def test_from_nothing_to_two_hundred_hosts_and_back(newcomer: tuple[Stack, Browser]) -> None:
    """By clicks alone: the hosts report, loads are placed on them, decisions explain them; removing leaves nothing."""
    _, browser = newcomer
    browser.wait(lambda: "No host yet" in browser.text("main"), "the empty map")
    click(browser, "Or try a demo fleet")
    browser.wait(lambda: "Or try it first" in browser.text("#demo"), "the demo's panel")
    click(browser, "Start a demo fleet")
    browser.wait(lambda: browser.text('#counts [data-state="active"] b') == "200", "200 hosts on the map", 30)
    browser.wait(lambda: browser.text('#counts [data-state="silent"] b') == "0", "that all report", 30)
    decisions = browser.driver.current_url.rstrip("/") + "/decisions/"

    def decided() -> bool:
        browser.driver.get(decisions)  # the list does not change by itself
        return "demo-load-" in browser.text("main")

    browser.wait(decided, "decisions about loads", 40)
    browser.driver.get(browser.driver.current_url.replace("/decisions/", "/hosts/add/"))
    click(browser, "Remove all of them")
    browser.wait(lambda: "The simulated hosts are gone" in browser.text("main"), "that they are gone")

    assert "Or try it first" in browser.text("#demo")
    assert browser.faults() == []
