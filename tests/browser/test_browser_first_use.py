"""A newcomer's way in a real browser: from the one-time link to a drained host and a decision's page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]


def live(browser: Any) -> bool:
    return browser.text("live-indicator") == "Live"


def drawn(browser: Any) -> int:
    """How many different colours are on the map."""
    return browser.script("""
        const canvas = document.querySelector("cluster-map canvas");
        if (!canvas?.width) return 0;
        // Read from a copy made for reading: Chromium warns of a canvas that is read while it is drawn on.
        const copy = new OffscreenCanvas(canvas.width, canvas.height);
        const context = copy.getContext("2d", { willReadFrequently: true });
        context.drawImage(canvas, 0, 0);
        const { data } = context.getImageData(0, 0, copy.width, copy.height);
        return new Set(new Uint32Array(data.buffer)).size;
    """)


def test_map_shows_the_hosts_live(stack: Any, browser: Any) -> None:
    """All hosts are on the canvas, the feed says live, and the count is the feed's."""
    hosts = len(json.loads(stack.run("host", "list", "--json")))  # another test may have added one
    browser.driver.get(stack.url + "/")
    browser.wait(lambda: live(browser), "the live feed")
    browser.wait(
        lambda: browser.text('#counts [data-state="active"] b') == str(hosts), "hosts that are active"
    )
    browser.wait(lambda: browser.text('#counts [data-state="silent"] b') == "0", "hosts that report")
    browser.wait(lambda: drawn(browser) > 8, "tiles on the map")

    assert f"{hosts} hosts" in browser.script("return document.querySelector('cluster-map canvas').ariaLabel")
    assert browser.faults() == []


def test_keys_lead_from_the_map_to_a_host(stack: Any, browser: Any) -> None:
    """Arrow keys move and speak, Enter opens the host that was spoken of."""
    browser.driver.get(stack.url + "/?group=zone")
    browser.wait(lambda: drawn(browser) > 8, "tiles on the map")
    canvas = browser.one("cluster-map canvas")
    browser.script("document.querySelector('cluster-map canvas').focus()")
    first = browser.wait(lambda: browser.text("cluster-map > [role=status]"), "the focused host in words")
    canvas.send_keys(Keys.ARROW_RIGHT)
    second = browser.wait(
        lambda: (said := browser.text("cluster-map > [role=status]")) != first and said,
        "another host in words",
    )
    canvas.send_keys(Keys.ENTER)
    name = second.split(",")[0]
    browser.wait(lambda: browser.driver.current_url == f"{stack.url}/hosts/{name}/", "the host's page")

    assert first.startswith("web-1, zone north, active: cpu")
    assert "zone south" in second
    assert name == browser.text("h1")


def test_grouping_and_colour_are_in_the_url(stack: Any, browser: Any) -> None:
    """A choice changes the address without a reload, so that the view can be sent to somebody."""
    browser.driver.get(stack.url + "/")
    browser.script("""
        const form = document.getElementById("map-choice");
        window.kept = true;
        form.elements.colour.value = "memory";
        form.elements.colour.dispatchEvent(new Event("change", { bubbles: true }));
    """)
    browser.wait(lambda: "colour=memory" in browser.driver.current_url, "the choice in the address")

    assert browser.script("return window.kept")
    assert "group=zone" in browser.driver.current_url


def test_letters_go_to_pages(stack: Any, browser: Any) -> None:
    """g and a letter leads there, ? shows the keys, / goes to the search; nothing happens while typing."""
    browser.driver.get(stack.url + "/")
    body = browser.one("body")
    body.send_keys("?")
    browser.wait(lambda: browser.script("return document.getElementById('keys').open"), "the list of keys")
    browser.one("#keys button").click()
    body.send_keys("g")
    body.send_keys("h")
    browser.wait(lambda: browser.driver.current_url == f"{stack.url}/hosts/", "the hosts")
    browser.one("body").send_keys("/")
    search = browser.driver.switch_to.active_element
    search.send_keys("gd", Keys.ENTER)

    browser.wait(lambda: browser.driver.current_url == f"{stack.url}/search/?q=gd", "the page of results")


def test_drain_asks_first_and_says_what_will_happen(stack: Any, browser: Any) -> None:
    """The dialog explains; confirming drains; the map and the page say so; uncordon takes it back."""
    browser.driver.get(stack.url + "/hosts/web-2/")
    browser.one("[data-opens=confirm-drain]").click()
    browser.wait(lambda: browser.one("#confirm-drain").is_displayed(), "the question")
    said = browser.text("#confirm-drain")
    browser.wait(lambda: "Look at the whole plan" in browser.text("drain-preview"), "what would move where")
    foreseen = browser.text("drain-preview [role=status]")
    browser.one("#drain-reason").send_keys("replace the fan")
    browser.one("#confirm-drain button.grave").click()
    browser.wait(lambda: "web-2 is draining" in browser.text(".messages"), "the outcome")
    browser.wait(lambda: browser.text(".head live-state") == "draining", "the live state")
    browser.wait(lambda: browser.text("host-leaving li.now"), "how far its leaving has come")
    step = browser.text("host-leaving li.now")

    assert "Nothing new is placed here" in said
    assert foreseen.startswith("If all of it were placed anew: ")
    assert step == "safe to power off" or step.startswith("draining")
    assert "replace the fan" in browser.text("main")
    browser.one('[formaction$="/uncordon/"]').click()
    browser.wait(lambda: browser.text(".head live-state") == "active", "the host back in use")


def test_decision_page_says_why(stack: Any, browser: Any) -> None:
    """A load placed by command is found in the list and explained, with its bars drawn."""
    placed = json.loads(
        stack.run("place", "job", "nightly-report", "-d", "cpu=0.5", "-d", "memory=64Mi", "--json")
    )
    browser.driver.get(stack.url + "/decisions/")
    browser.driver.find_element("partial link text", "nightly-report").click()
    browser.wait(lambda: "/decisions/" + placed["decision"] in browser.driver.current_url, "the decision")

    assert placed["sentence"] == browser.text(".verdict")
    assert "chosen" in browser.text(".candidates tr.chosen")
    assert browser.script("return document.querySelector('.candidates load-strip canvas').width") > 0
    assert (
        float(
            browser.script("return document.querySelector('.candidates .share rect').getAttribute('width')")
        )
        > 0
    )


def test_added_host_turns_the_waiting_line_into_a_link(stack: Any, browser: Any) -> None:
    """The command of the page, run as it stands, makes the host appear."""
    browser.driver.get(stack.url + "/hosts/add/")
    browser.driver.find_element("name", "host_name").send_keys("web-9")
    browser.one("main form button.primary").click()
    command = browser.wait(lambda: browser.text("#command-run"), "the command")
    assert "Waiting" in browser.text("host-waiter")
    # Of several processes only the last one stays, which is the one that the fixture ends.
    command = command.replace("&& sh ", "&& exec sh ")
    home = stack.folder / "web-9"
    home.mkdir()
    stack.spawn(["-c", f"cd {home} && {command} --address 127.0.9.9"], program="/bin/sh", HOME=str(home))
    browser.wait(lambda: "web-9 has joined" in browser.text("host-waiter"), "the host", 30)

    assert "/hosts/web-9/" in browser.one("host-waiter a").get_attribute("href")
