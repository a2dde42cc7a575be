"""Choosing a host on the map of the running product: its siblings, its link, the picture, and what axe says of it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from browser_rig import AXE
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

MAP = "document.querySelector('cluster-map')"
SVG = "http://www.w3.org/2000/svg"


@pytest.fixture(scope="module")
def shared(stack: Any) -> str:
    """A service on two of the hosts; its name."""
    ends = ["--endpoint", "web-1:9", "--endpoint", "web-2:9"]
    stack.run("service", "create", "both", "--listen", "127.0.0.1:18999", "--protocol", "tcp", *ends)
    return "both"


def look(stack: Any, browser: Any, query: str = "group=zone") -> None:
    """Open the map and wait until it is drawn and live."""
    browser.driver.get(f"{stack.url}/?{query}")
    browser.wait(lambda: browser.script(f"return {MAP}?.painter?.painted > 2"), "the tiles")
    browser.wait(lambda: browser.text("live-indicator") == "Live", "the live feed")


def point(browser: Any, host: str) -> Any:
    """The mouse over a host's tile."""
    x, y = browser.script(f"""
        const {{ plan }} = {MAP}; const slot = {MAP}.slotOf("{host}");
        return [plan.x[slot] + plan.tileWidth / 2, plan.y[slot] + plan.tileHeight / 2];
    """)
    canvas = browser.one("cluster-map canvas")
    width, height = (browser.script(f"return {MAP}.canvas.client{side}") for side in ("Width", "Height"))
    # Selenium counts from the element's middle.
    mouse = ActionChains(browser.driver)
    mouse.move_to_element_with_offset(canvas, round(x - width / 2), round(y - height / 2))
    return mouse


def said(browser: Any) -> str:
    return str(browser.text("cluster-map > [role=status]"))


def test_a_click_shows_who_carries_the_same(stack: Any, browser: Any, shared: str) -> None:
    """The card says it with links, the live region in words, the address keeps it, Escape takes it back."""
    look(stack, browser)
    point(browser, "web-1").click().perform()
    browser.wait(lambda: f"service {shared} with 1 other host" in said(browser), "the siblings in words")
    card = browser.text("cluster-map .card")
    links = browser.script(
        "return [...document.querySelectorAll('cluster-map .card a')].map((a) => a.pathname)"
    )
    kept = browser.driver.current_url
    look(stack, browser, kept.partition("?")[2])
    browser.wait(lambda: f"service {shared}" in said(browser), "the siblings after a reload")
    browser.one("cluster-map canvas").send_keys(Keys.ESCAPE)

    assert card.startswith("web-1active")
    assert {f"/services/{shared}/", "/hosts/web-1/"} <= set(links)
    assert "host=web-1" in kept
    assert "host=" not in browser.driver.current_url
    assert browser.faults() == []


def test_pointing_only_says(stack: Any, browser: Any) -> None:
    """The card of what is pointed at has the figures used and reserved, and nothing to click."""
    look(stack, browser)
    point(browser, "db-1").perform()
    browser.wait(lambda: browser.one("cluster-map .card").is_displayed(), "the card")
    card = browser.one("cluster-map .card")

    assert card.text.splitlines()[0] == "db-1"
    assert "used reserved" in card.text
    assert browser.script("return document.querySelectorAll('cluster-map .card a').length") == 0
    assert card.get_attribute("aria-hidden") == "true"


def test_the_map_is_handed_out_as_a_picture(stack: Any, browser: Any, tmp_path: Path) -> None:
    """A PNG as wide as the map, with its title and legend around it."""
    look(stack, browser)
    browser.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    browser.one("#map-picture").click()
    (picture,) = browser.wait(lambda: list(tmp_path.glob("map-*.png")), "the picture")
    head = browser.wait(lambda: picture.read_bytes()[:24], "its bytes")
    width, height = struct.unpack(">II", head[16:24])

    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert width == browser.script(f"return {MAP}.canvas.width") + 32
    assert height == browser.script(f"return {MAP}.canvas.height") + 96
    assert browser.faults() == []


def test_the_map_is_handed_out_as_a_drawing(stack: Any, browser: Any, tmp_path: Path) -> None:
    """An SVG of the same size that an XML parser takes: each host by name, and shapes instead of pixels."""
    look(stack, browser, "group=zone")
    browser.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    browser.one("#map-vector").click()
    (drawing,) = browser.wait(lambda: list(tmp_path.glob("map-*.svg")), "the drawing")
    text = browser.wait(drawing.read_text, "its text")
    root = ET.fromstring(text)
    said = [each.text for each in root.iter(f"{{{SVG}}}text")]

    assert float(root.attrib["width"]) == browser.script(f"return {MAP}.clientWidth") + 32
    assert float(root.attrib["height"]) == browser.script(f"return {MAP}.plan.height") + 96
    assert {"web-1", "web-2", "db-1", "zone north", "zone south"} <= {each for each in said if each}
    assert len(list(root.iter(f"{{{SVG}}}path"))) > 10
    assert "<image" not in text
    assert browser.faults() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_with_a_host_chosen(scheme: str, stack: Any, browser: Any, shared: str) -> None:
    """The map, its form and the open card, in both schemes and on a phone; the frame is tested with all pages."""
    axe = AXE.read_text()
    found = {}
    browser.scheme(scheme)
    for width in (1440, 390):
        browser.size(width, 900)
        look(stack, browser, "group=state&colour=zone&host=web-1")
        browser.wait(lambda: browser.text("cluster-map .card li"), "the card")
        browser.driver.execute_script(axe)
        found[width] = browser.driver.execute_async_script(
            "const done = arguments[0]; axe.run('main').then(({ violations }) => done(violations.map("
            "({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.html.slice(0, 200))])))"
        )
        assert browser.script("return document.documentElement.scrollWidth") <= width

    assert found == {1440: [], 390: []}, json.dumps(found, indent=1)
