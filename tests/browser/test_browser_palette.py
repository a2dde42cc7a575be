"""The palette in a real browser: found while typing, by keyboard, honest in what it knows, safe with hostile texts."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from browser_rig import AXE
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

HOSTILE = "<img src=x onerror=window.hurt=1>\"'&"
CHOSEN = '#palette [role=option][aria-selected="true"] .title'


@pytest.fixture
def page(stack: Any, browser: Any) -> Iterator[str]:
    """The list of shards, live; its address."""
    browser.driver.get(stack.url + "/shards/")
    browser.wait(lambda: browser.text("live-indicator") == "Live", "the live feed")
    yield browser.driver.current_url
    browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})


def chord(browser: Any) -> None:
    ActionChains(browser.driver).key_down(Keys.CONTROL).send_keys("k").key_up(Keys.CONTROL).perform()


def is_open(browser: Any) -> bool:
    return bool(browser.script("return document.getElementById('palette').open"))


def titles(browser: Any) -> list[str]:
    return browser.script(
        "return [...document.querySelectorAll('#palette [role=option] .title')].map((each) => each.textContent)"
    )


def type_in(browser: Any, text: str, wanted: str) -> Any:
    """Open it and type; returns the box once something called that is found."""
    chord(browser)
    box = browser.driver.switch_to.active_element
    box.send_keys(text)
    browser.wait(lambda: wanted in titles(browser), f"{wanted} while typing {text}")
    return box


def test_what_is_typed_is_found_and_opened_by_keyboard(page: str, stack: Any, browser: Any) -> None:
    """The first is chosen; arrows go on and around, and say so; Enter opens; then it is among the recent things."""
    box = type_in(browser, "web", "web-2")
    found = titles(browser)
    first = browser.text(CHOSEN)
    box.send_keys(Keys.ARROW_UP)
    last = browser.text(CHOSEN)
    box.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    second = browser.text(CHOSEN)
    spoken = browser.script(
        "return document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).textContent"
    )
    strip = browser.wait(
        lambda: browser.script("return document.querySelector('#palette load-strip canvas')?.width"),
        "the strip",
    )
    box.send_keys(Keys.ENTER)
    browser.wait(lambda: browser.driver.current_url == f"{stack.url}/hosts/{second}/", "the host's page")
    chord(browser)
    browser.wait(lambda: second in titles(browser), "the recent things")

    assert (first, last, second) == (found[0], found[-1], found[1])
    assert {"web-1", "web-2"} <= set(found)
    assert spoken.startswith(second)
    assert "used" in spoken
    assert strip > 0
    assert browser.text("#palette .kind") == "Opened last"
    assert browser.faults() == []


def test_escape_gives_the_focus_back(page: str, browser: Any) -> None:
    """To where it was before, by whatever way it was opened; the page is the same."""
    browser.script("document.querySelector('#nav a').focus()")
    browser.one("#nav a").send_keys("/")
    opened = is_open(browser)
    browser.driver.switch_to.active_element.send_keys("web", Keys.ESCAPE)
    browser.wait(lambda: not is_open(browser), "it to close")

    assert opened
    assert browser.script("return document.activeElement === document.querySelector('#nav a')")
    assert browser.driver.current_url == page


def test_an_action_leads_to_its_question(page: str, stack: Any, browser: Any) -> None:
    """Draining is asked on the host's page, with what would move; nothing is done by opening it."""
    box = type_in(browser, "drain web-2", "Drain web-2")
    while browser.text(CHOSEN) != "Drain web-2":
        box.send_keys(Keys.ARROW_DOWN)
    box.send_keys(Keys.ENTER)
    browser.wait(
        lambda: browser.script("return document.getElementById('confirm-drain')?.open"), "the question"
    )
    browser.wait(lambda: browser.text("drain-preview [role=status]"), "what would move")
    browser.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    browser.wait(lambda: "#" not in browser.driver.current_url, "the address without the question")

    states = {each["name"]: each["state"] for each in json.loads(stack.run("host", "list", "--json"))}
    assert states["web-2"] == "active"


def test_what_is_not_possible_says_why(page: str, browser: Any) -> None:
    """It stands there, disabled, with the reason; Enter does not lead anywhere and says it again."""
    box = type_in(browser, "uncordon web-1", "Uncordon web-1")
    while browser.text(CHOSEN) != "Uncordon web-1":
        box.send_keys(Keys.ARROW_DOWN)
    option = browser.one('#palette [aria-selected="true"]')
    seen = (option.get_attribute("aria-disabled"), option.get_attribute("href"), option.text)
    box.send_keys(Keys.ENTER)
    browser.wait(lambda: "Uncordon web-1: " in browser.text("#palette-said"), "the reason in words")

    assert seen[:2] == ("true", None)
    assert "The host is active." in seen[2]
    assert (is_open(browser), browser.driver.current_url) == (True, page)


def test_hostile_texts_are_texts(page: str, stack: Any, browser: Any) -> None:
    """A path like markup is found and shown as it is; what is typed is said again as typed; nothing is made of it."""
    stack.run("shard", "create", "hostile", "--size", "1Mi", "--source", f"web-1:/srv/{HOSTILE}")
    box = type_in(browser, "<img src", "hostile")
    shown = browser.text("#palette .note")
    box.send_keys(" onerror=<b>qq")
    browser.wait(
        lambda: "Nothing is like “<img src onerror=<b>qq”." in browser.text("#palette-said"), "what is said"
    )

    assert HOSTILE in shown
    assert browser.script("return document.querySelectorAll('#palette :is(img, b)').length") == 0
    assert browser.script("return window.hurt ?? 0") == 0
    assert browser.faults() == []


def test_what_was_just_made_is_found(page: str, stack: Any, browser: Any) -> None:
    """The index was read a moment before it was made: it is asked for again, without another key."""
    stack.run("search", "web")
    stack.run("shard", "create", "newborn", "--size", "1Mi", "--source", "web-1:/srv/newborn")

    type_in(browser, "newborn", "newborn")

    assert browser.faults() == []


def test_a_late_answer_is_not_shown(page: str, browser: Any) -> None:
    """The answer to what was typed before comes after the present one: it is not heard."""
    browser.script("""
        const real = window.fetch;
        window.late = [];
        window.fetch = (url, options) => {
          if (!String(url).includes("q=db&")) return real(url, options);
          return new Promise((done) => window.late.push(() => done(real(url))));
        };
    """)
    chord(browser)
    box = browser.driver.switch_to.active_element
    box.send_keys("db")
    browser.wait(lambda: browser.script("return window.late.length"), "the first question")
    box.send_keys(Keys.BACKSPACE, Keys.BACKSPACE, "web-1")
    browser.wait(lambda: "web-1" in titles(browser), "the present answer")
    before = titles(browser)
    browser.driver.execute_async_script(
        "const done = arguments[0]; window.late[0](); setTimeout(() => fetch('/api/v1/search/?q=db').then(done), 200)"
    )

    assert titles(browser) == before


def test_a_lost_connection_is_said_and_heals(page: str, stack: Any, browser: Any) -> None:
    """The web process stops: nothing old is shown as an answer; it goes on: the question is asked again by itself."""
    box = type_in(browser, "web-", "web-1")
    web = json.loads((stack.folder / "data/run/pids").read_text())["web"]
    os.kill(web, signal.SIGSTOP)
    try:
        box.send_keys("1")
        browser.wait(lambda: browser.text("#palette-said").startswith("No connection"), "the loss in words")
        shown = titles(browser)
    finally:
        os.kill(web, signal.SIGCONT)

    browser.wait(lambda: "web-1" in titles(browser), "the answer", 30)
    assert shown == []


def test_enter_before_the_answer_leads_to_the_page_of_results(page: str, stack: Any, browser: Any) -> None:
    """What is typed faster than it is answered is not lost, and opens nothing that was not read."""
    browser.script("""
        const real = window.fetch;
        window.fetch = (url, options) => String(url).includes("/search/") ? new Promise(() => {}) : real(url, options);
    """)
    chord(browser)
    browser.driver.switch_to.active_element.send_keys("web-2", Keys.ENTER)

    browser.wait(lambda: browser.driver.current_url == f"{stack.url}/hosts/web-2/", "the one of that name")


def test_search_works_without_scripts(stack: Any, browser: Any) -> None:
    """The box at the top is a form."""
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.driver.get(stack.url + "/shards/")
        browser.one("#search").send_keys("drain web", Keys.ENTER)
        found = browser.wait(
            lambda: browser.driver.find_element("partial link text", "Drain web-1"), "results"
        )
        shown = found.is_displayed()
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    assert shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_with_the_palette_open(scheme: str, page: str, stack: Any, browser: Any) -> None:
    """With hosts and with what is not possible, on a desk and on a phone, which it fits."""
    axe = AXE.read_text()
    browser.scheme(scheme)
    found = {}
    for width in (1440, 390):
        browser.size(width, 844)
        for text, wanted in (("web", "web-1"), ("uncordon", "Uncordon web-1")):
            browser.driver.get(page)
            type_in(browser, text, wanted)
            browser.driver.execute_script(axe)
            found[f"{width} {text}"] = browser.driver.execute_async_script(
                "const done = arguments[0]; axe.run('#palette').then(({ violations }) => done(violations.map("
                "({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.html.slice(0, 200))])))"
            )
            if folder := os.environ.get("STEELYARD_LOOK"):
                browser.driver.save_screenshot(f"{folder}/palette-{scheme}-{width}-{text}.png")
            assert browser.script("return document.documentElement.scrollWidth") <= width
            assert (
                browser.script("return document.getElementById('palette').getBoundingClientRect().right")
                <= width
            )

    assert not any(found.values()), json.dumps(found, indent=1)
