"""Every page in a real browser: no violation, no error, both schemes, a phone, no scripts, a lost line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

import pytest

from clients.rest import Steelyard

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

LISTS = [
    "/",
    "/hosts/",
    "/hosts/?q=none",
    "/chain/",
    "/chain/?q=none",
    "/services/",
    "/services/new/",
    "/endpoints/",
    "/engines/",
    "/jobs/",
    "/jobs/queue/",
    "/jobs/workers/",
    "/jobs/shares/",
    "/jobs/schedules/",
    "/jobs/tasks/",
    "/placements/",
    "/bulk/",
    "/shards/",
    "/storage-pools/",
    "/storage-pools/default/",
    "/storage-capacity/",
    "/rebalances/",
    "/decisions/",
]
LISTS += ["/certificates/", "/certificates/new/", "/api-keys/new/"]
LISTS += ["/plans/", "/plans/?drain=web-1", "/plans/?times=3&policy=pack"]
LISTS += [
    "/alerts/",
    "/alerts/silences/",
    "/alerts/rules/",
    "/alerts/channels/",
    "/api/",
    "/settings/",
    "/settings/policies/",
    "/settings/policies/job/?policy=tenant_fair",
    "/api/explorer/",
    "/events/",
    "/hosts/add/",
    "/hosts/web-1/",
    "/hosts/web-1/past/",
    "/hosts/web-1/?range=14d",
]


@pytest.fixture(scope="module")
def pages(stack: Any) -> list[str]:
    """All pages, one of each kind of thing among them."""
    placed = json.loads(stack.run("place", "job", "one", "-d", "cpu=0.1", "--json"))
    job = json.loads(stack.run("job", "run", "demo.none", "-d", "cpu=0.1", "--json"))
    stack.run(
        "service",
        "create",
        "shop",
        "--listen",
        f"127.0.0.1:{free_port()}",
        "--protocol",
        "http",
        "--endpoint",
        "web-1:9",
    )
    decisions = [placed["decision"], ruled(stack), refused(stack)]
    return [
        *LISTS,
        "/services/shop/",
        "/services/shop/weights/",
        "/services/shop/settings/",
        f"/jobs/{job['id']}/",
        "/decisions/?group=rules",
        *(f"/decisions/{each}/" for each in decisions),
    ]


def ruled(stack: Any) -> str:
    """A decision of a set, with every constraint, and wishes that are not met."""
    words = [
        "place",
        "service",
        "ruled",
        "-d",
        "cpu=0.1",
        "--replicas",
        "2",
        "--group",
        "rules",
        "--spread",
        "zone",
    ]
    words += [
        "--prefer",
        "zone=nowhere:0.5",
        "--near",
        "nobody:zone:1",
        "--apart",
        "nobody",
        "--pin",
        "web-1",
    ]
    return str(json.loads(stack.run(*words, "--pin", "db-1", "--json"))["placements"][0]["decision"])


def refused(stack: Any) -> str:
    """A refusal for which something could leave."""
    stack.run("place", "job", "low", "-d", "cpu=7", "--pin", "web-1", "--priority", "-1")
    with pytest.raises(subprocess.CalledProcessError):
        stack.run("place", "job", "urgent", "-d", "cpu=7", "--pin", "web-1")
    with Steelyard(stack.url, (stack.folder / "data/secrets/cli-token").read_text().strip()) as client:
        decision = client.decisions(name="urgent")["results"][0]["id"]
        assert client.decision(decision)["preemption"]["best"]["leaving"][0]["name"] == "low"
    return str(decision)


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def background(browser: Any) -> int:
    """The lightness of the page's background, 0 to 255."""
    return browser.script("""
        const context = new OffscreenCanvas(1, 1).getContext("2d");
        context.fillStyle = getComputedStyle(document.body).backgroundColor;
        context.fillRect(0, 0, 1, 1);
        return context.getImageData(0, 0, 1, 1).data[1];
    """)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_fault(scheme: str, stack: Any, browser: Any, pages: list[str]) -> None:
    """Not one violation of the policy, failed request or error, and the scheme is the system's."""
    browser.scheme(scheme)
    browser.faults()
    found = {}
    for page in pages:
        browser.driver.get(stack.url + page)
        browser.wait(lambda: browser.text("live-indicator") == "Live", f"the live feed on {page}")
        if faults := browser.faults():
            found[page] = faults
        assert (background(browser) > 128) == (scheme == "light"), page

    assert found == {}


def test_no_page_is_wider_than_a_phone(stack: Any, browser: Any, pages: list[str]) -> None:
    """Wide tables scroll or fold; the page itself does not move sideways. The menu folds away."""
    browser.size(390, 844)
    wide = {}
    for page in pages:
        browser.driver.get(stack.url + page)
        width = browser.script("return document.documentElement.scrollWidth")
        if width > 390:
            wide[page] = width
    hidden = not browser.one("#nav").is_displayed()
    browser.one(".menu").click()
    shown = browser.one("#nav").is_displayed()

    assert wide == {}
    assert hidden
    assert shown


def test_colours_on_canvas_follow_the_scheme(stack: Any, browser: Any) -> None:
    """The drawn strips change with the scheme, without a reload."""
    browser.driver.get(stack.url + "/hosts/")
    pixels = """
        const canvas = document.querySelector("host-grid .rows canvas");
        return canvas ? canvas.toDataURL() : "";
    """
    light = browser.wait(lambda: browser.script(pixels), "a strip")
    browser.scheme("dark")
    browser.wait(lambda: browser.script(pixels) != light, "the strip in other colours")

    assert "rgb" in browser.script(
        "return getComputedStyle(document.documentElement).getPropertyValue('--ramp-5')"
    )


def test_every_figure_is_there_without_scripts(stack: Any, browser: Any) -> None:
    """With scripts switched off the pages still say what there is, in text."""
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.driver.get(stack.url + "/")
        listed = browser.driver.find_elements("css selector", "cluster-map .text a")
        texts = [each.text for each in listed]
        browser.driver.get(stack.url + "/hosts/")
        strip = browser.one("load-strip span").text
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    assert {"db-1", "web-1", "web-2"} <= set(texts)
    assert "cpu" in strip
    assert "used" in strip


def test_lost_connection_shows_itself_and_heals(stack: Any, browser: Any) -> None:
    """The web process stops: within seconds the page says so; it goes on: the page is live again."""
    browser.driver.get(stack.url + "/hosts/")
    browser.wait(lambda: browser.text("live-indicator") == "Live", "the live feed")
    web = json.loads((stack.folder / "data/run/pids").read_text())["web"]
    os.kill(web, signal.SIGSTOP)
    try:
        browser.wait(
            lambda: browser.text("live-indicator").startswith("No connection"), "the loss in words", 6
        )
    finally:
        os.kill(web, signal.SIGCONT)

    browser.wait(lambda: browser.text("live-indicator") == "Live", "the live feed again", 30)
    assert "active" in browser.text("host-grid .rows .state")


def test_tables_by_hand_have_no_fault(stack: Any, browser: Any) -> None:
    """Django's own admin under our policy for content: from the settings to a host's row, and a change of it."""
    browser.driver.get(stack.url + "/settings/")
    browser.faults()
    browser.driver.get(browser.driver.find_element("link text", "Tables by hand").get_attribute("href"))
    browser.driver.find_element("link text", "Hosts").click()
    browser.driver.find_element("link text", "db-1").click()
    labels = browser.one("#id_labels")
    before = json.loads(labels.get_attribute("value"))
    labels.clear()
    labels.send_keys(json.dumps({**before, "by": "hand"}))
    browser.one("input[name=_save]").click()
    browser.wait(lambda: "was changed successfully" in browser.text(".messagelist"), "the row to be written")

    assert browser.faults() == []
    hosts = json.loads(stack.run("host", "list", "--json"))
    assert [host["labels"] for host in hosts if host["name"] == "db-1"] == [{**before, "by": "hand"}]
