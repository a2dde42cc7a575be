"""A service's weights in a real browser: live, tried by keyboard before they are set, and taken back."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from browser_rig import AXE
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_browser_every_page import free_port

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PAGE = "/services/weighed/weights/"
FORM = 'weights-try tr[data-key^="web-1:"]'


class Silent(BaseHTTPRequestHandler):
    """A server that is well."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def servers() -> Iterator[int]:
    """Two servers, on the addresses of web-1 and web-2; the port of both."""
    port = free_port()
    made = [ThreadingHTTPServer((f"127.0.9.{number}", port), Silent) for number in (1, 2)]
    for each in made:
        Thread(target=each.serve_forever, daemon=True).start()
    yield port
    for each in made:
        each.shutdown()
        each.server_close()


@pytest.fixture(scope="module")
def weighed(stack: Any, browser: Any, servers: int) -> Any:
    """A service of two endpoints, of which the controller has spoken."""
    stack.run(
        "service", "create", "weighed", "--listen", f"127.0.0.1:{free_port()}", "--protocol", "http",
        "--endpoint", f"web-1:{servers}", "--endpoint", f"web-2:{servers}",
    )  # fmt: skip
    look(stack, browser)
    browser.wait(lambda: shown(browser, "asked")[:1] not in "0u", "the weights without a reload", 40)
    yield
    stack.run("service", "remove", "weighed")


def look(stack: Any, browser: Any) -> None:
    browser.driver.get(stack.url + PAGE)
    browser.wait(lambda: browser.text("live-indicator") == "Live", "the live feed")


def shown(browser: Any, name: str) -> str:
    return str(browser.text(f'weights-live tr[data-key^="web-1:"] [data-show="{name}"]'))


def violations(browser: Any) -> list[str]:
    browser.script(AXE.read_text())
    return browser.driver.execute_async_script(  # type: ignore[no-any-return]
        "const done = arguments[0]; axe.run().then(({ violations }) => done(violations.map("
        "({ id, nodes }) => `${id}: ${nodes[0].html}`)))"
    )


def test_a_weight_is_tried_set_and_taken_back_by_keyboard(stack: Any, browser: Any, weighed: None) -> None:
    """The slider moves the number; the share to come is said before it is made; undo leads back."""
    look(stack, browser)
    slider = browser.one(f"{FORM} [type=range]")
    slider.send_keys(Keys.HOME)
    browser.wait(lambda: "→ 0 %" in browser.text(f"{FORM} [data-show=shares]"), "what 0 % would come to")
    number = browser.one(f"{FORM} [type=number]")
    said = browser.text(".outcome")
    slider.send_keys(Keys.PAGE_UP)
    browser.wait(lambda: "→ 0 %" not in browser.text(f"{FORM} [data-show=shares]"), "what more would come to")

    assert "Nothing speaks against it." in said
    assert 0 < int(number.get_attribute("value")) < 100
    wanted = number.get_attribute("value")
    number.send_keys(Keys.ENTER)
    browser.wait(lambda: "The weights are set" in browser.text(".messages"), "it is set")
    browser.wait(
        lambda: f"leaves {wanted} % of" in shown(browser, "reason"),
        "the controller says so, without a reload",
    )
    browser.one("[name=verb][value=undo]").send_keys(Keys.ENTER)
    browser.wait(lambda: "taken back" in browser.text(".messages"), "it is taken back")
    assert browser.one(f"{FORM} [type=number]").get_attribute("value") == "100"
    assert browser.faults() == []


def test_one_slider_moves_a_whole_zone(stack: Any, browser: Any) -> None:
    """All its endpoints' sliders and numbers, and no others'; the band itself is not sent."""
    port = free_port()
    ours, other = [f"web-1:{port}", f"web-1:{port - 1}"], f"web-2:{port}"
    endpoints = [part for each in (*ours, other) for part in ("--endpoint", each)]
    listen = f"127.0.0.1:{free_port()}"
    stack.run("service", "create", "zoned", "--listen", listen, "--protocol", "http", *endpoints)
    try:
        browser.driver.get(f"{stack.url}/services/zoned/weights/")
        browser.one("tr[data-band] [type=range]").send_keys(Keys.HOME)
        sent = browser.script("""
            const form = new FormData(document.getElementById("set-weights"));
            return Object.fromEntries([...form].filter(([key]) => /^web-/.test(key)));
        """)
        titles = browser.script(
            "return [...document.querySelectorAll('tr[data-band] th')].map((each) => each.textContent)"
        )
    finally:
        browser.leave()
        stack.run("service", "remove", "zoned")

    assert sent == {**dict.fromkeys(ours, "0"), other: "100"}
    assert titles == ["All of zone north 2"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_for_everybody(scheme: str, stack: Any, browser: Any, weighed: None) -> None:
    """No violation in both schemes, also with an objection; a phone has no sideways scrolling."""
    browser.scheme(scheme)
    look(stack, browser)
    for slider in browser.driver.find_elements(By.CSS_SELECTOR, "weights-try [type=range]"):
        slider.send_keys(Keys.HOME)
    browser.wait(lambda: "No endpoint would take new requests." in browser.text(".outcome"), "the objection")
    found = violations(browser)
    browser.size(390, 800)
    wide = browser.script("return document.documentElement.scrollWidth")
    browser.size(1440, 900)
    browser.scheme("light")

    assert found == []
    assert wide <= 390
    assert browser.faults() == []


def test_figures_that_stop_coming_are_unknown(stack: Any, browser: Any, weighed: None) -> None:
    """The controller stands still: within seconds nothing of it is shown as the present, and it heals."""
    look(stack, browser)
    browser.wait(lambda: shown(browser, "weight").isdigit(), "the weights")
    pid = json.loads((stack.folder / "data/run/pids").read_text())["controller"]
    os.kill(pid, signal.SIGSTOP)
    try:
        browser.wait(lambda: shown(browser, "weight") == "unknown", "unknown", 15)
        assert "no weight is known" in browser.text(".verdict")
    finally:
        os.kill(pid, signal.SIGCONT)
    browser.wait(lambda: shown(browser, "weight").isdigit(), "the weights again", 40)
    assert browser.driver.find_elements(By.CSS_SELECTOR, "weights-live .verdict.refused") == []
