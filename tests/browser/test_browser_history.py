"""The past in a real browser: a host's charts, and the scrubber of the map and the hosts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from browser_rig import AXE

from clients.rest import Steelyard

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

HOSTILE = "<img src=x onerror=\"document.title='taken'\"> & 'fan'"


@pytest.fixture(scope="module")
def kept(stack: Any, browser: Any) -> str:
    """A moment that is kept of web-1, as a URL says it; and web-1 was cordoned for a reason nobody should run."""
    with Steelyard(stack.url, (stack.folder / "data/secrets/cli-token").read_text().strip()) as client:
        found = browser.wait(lambda: whole(client), "a frame of the three hosts", 40)
    stack.run("host", "cordon", "web-1", "--reason", HOSTILE)
    stack.run("host", "uncordon", "web-1")
    return f"{found + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"


def whole(client: Steelyard) -> datetime | None:
    """When the newest frame was kept, if it has the three hosts."""
    times = client.get("history/hosts/web-1/")["at"]
    at = datetime.fromtimestamp(times[-1], UTC) if times else None
    if at is None:
        return None
    there = {each["name"] for each in client.get("history/at/", t=at.isoformat())["results"]}
    return at if {"web-1", "web-2", "db-1"} <= there else None


def violations(browser: Any) -> list[str]:
    """What axe finds, with no rule disabled."""
    browser.script(AXE.read_text())
    return browser.driver.execute_async_script("""
        const done = arguments[0];
        axe.run().then(({ violations }) => done(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`)));
    """)  # type: ignore[no-any-return]


def press(browser: Any, key: str) -> None:
    browser.script(
        f"document.body.dispatchEvent(new KeyboardEvent('keydown', {{ key: {key!r}, bubbles: true }}))"
    )


def query(browser: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(browser.driver.current_url).query)


def charts(stack: Any, browser: Any, path: str = "/hosts/web-1/") -> None:
    browser.driver.get(stack.url + path)
    four = "return document.querySelectorAll('host-charts .uplot canvas').length"
    browser.wait(lambda: browser.script(four) == 4, "four charts")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_the_past_are_open_to_all(scheme: str, stack: Any, browser: Any, kept: str) -> None:
    """Not one violation of the policy or of axe's rules, in both schemes."""
    browser.scheme(scheme)
    browser.faults()
    found = {}
    charts(stack, browser)
    browser.script("document.querySelector('.marks-box').open = true")
    found["charts"] = [*violations(browser), *browser.faults()]
    for path in ("/hosts/web-1/past/", f"/?t={kept}", f"/hosts/?t={kept}"):
        browser.driver.get(stack.url + path)
        if "t=" in path:
            browser.wait(
                lambda: browser.one("time-scrubber .around").is_displayed(), f"what lay around {path}"
            )
        found[path] = [*violations(browser), *browser.faults()]

    assert {path: faults for path, faults in found.items() if faults} == {}


def test_a_charts_range_is_its_url(stack: Any, browser: Any, kept: str) -> None:
    """Choosing one changes the address, the file's and the table's; going back brings the other again."""
    charts(stack, browser)
    browser.one("[data-range='24h']").click()
    browser.wait(lambda: browser.one("[data-range='24h']").get_attribute("aria-current"), "the day")
    day = query(browser)
    file = browser.one("[data-past*=csv]").get_attribute("href")
    browser.driver.back()
    browser.wait(lambda: browser.one("[data-range='1h']").get_attribute("aria-current"), "the hour again")

    assert day == {"range": ["24h"]}
    assert parse_qs(urlsplit(file).query) == {"range": ["24h"], "format": ["csv"]}


def test_charts_speak_by_keyboard_and_go_into_a_picture(stack: Any, browser: Any, kept: str) -> None:
    """Arrow keys say what each bar was; PNG saves a picture that is not empty."""
    charts(stack, browser)
    element = browser.one("host-charts")
    element.send_keys("\ue012")  # arrow left
    spoken = browser.wait(lambda: browser.text("host-charts output"), "what was")
    browser.script("""
        window.saved = [];
        URL.createObjectURL = (blob) => { window.saved.push(blob.size); return "data:,"; };
        HTMLAnchorElement.prototype.click = function () { window.saved.push(this.download); };
    """)
    browser.one("[data-png]").click()
    saved = browser.wait(
        lambda: browser.script("return window.saved.length === 2 && window.saved"), "a picture"
    )

    assert all(f"{bar} " in spoken for bar in ("cpu", "memory", "disk", "net"))
    assert saved[0] > 5000
    assert saved[1].startswith("web-1-")


def test_charts_go_on_live(stack: Any, browser: Any, kept: str) -> None:
    """Without asking again: the last step of time comes from the live feed."""
    charts(stack, browser)
    last = "const { past } = document.querySelector('host-charts'); return [past.end, past.samples.length]"
    before = browser.script(last)
    after = browser.wait(
        lambda: (now := browser.script(last))[0] > before[0] + 3 and now, "time that goes on"
    )

    assert after[1] > 0


def test_marks_are_text(stack: Any, browser: Any, kept: str) -> None:
    """A reason is somebody's words: shown, and never run."""
    charts(stack, browser)
    browser.script("document.querySelector('.marks-box').open = true")
    browser.wait(lambda: HOSTILE in browser.text(".marks"), "the reason")

    assert browser.script("return document.querySelectorAll('.marks img').length") == 0
    assert browser.driver.title.startswith("web-1")


def test_one_key_goes_back_in_time_and_one_to_now(stack: Any, browser: Any, kept: str) -> None:
    """The indicator never says live of the past, the address can be sent, and what was done stands beside it."""
    browser.driver.get(f"{stack.url}/?t={kept}")
    browser.wait(lambda: browser.text("live-indicator") == "The past", "the past")
    browser.wait(lambda: "ago" in browser.text("[data-note]"), "its frame")
    # Whatever state each was in.
    numbers = browser.script("""
        return ['active', 'cordoned', 'draining'].map((state) =>
            Number(document.querySelector(`#counts [data-state=${state}] b`).textContent));
    """)
    browser.wait(lambda: "host.cordon web-1" in browser.text("[data-list=events]"), "what was done")
    images = browser.script("return document.querySelectorAll('.around img').length")
    press(browser, ",")
    earlier = browser.wait(lambda: query(browser)["t"][0] != kept and query(browser)["t"][0], "a step back")
    press(browser, "l")
    browser.wait(lambda: browser.text("live-indicator") == "Live", "now")

    assert sum(numbers) >= 3  # other tests add hosts
    assert images == 0
    assert earlier < kept
    assert query(browser) == {}
    assert not browser.one("time-scrubber .around").is_displayed()


def test_what_is_not_kept_is_unknown(stack: Any, browser: Any, kept: str) -> None:
    """Figures of now are not shown under a moment of which there are none; who goes on to a list stays in it."""
    never = f"{datetime.now(UTC) - timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"
    browser.driver.get(f"{stack.url}/hosts/?t={never}")
    browser.wait(lambda: "nothing is kept" in browser.text("[data-note]"), "that nothing is kept")
    browser.wait(lambda: browser.text("live-worst") == "unknown", "no figure")
    strip = browser.text("load-strip span")
    browser.one("#nav a[data-key=m]").click()
    browser.wait(lambda: urlsplit(browser.driver.current_url).path == "/", "the map")

    assert strip.startswith("cpu unknown used")
    assert query(browser) == {"t": [never]}


def test_a_gap_stays_a_gap_and_an_extreme_stays(stack: Any, browser: Any, kept: str) -> None:
    """Where steps are missing nothing is drawn; a live peak within a step is its most, also beside what was read."""
    browser.driver.get(f"{stack.url}/hosts/web-2/")
    found = browser.driver.execute_async_script("""
        const done = arguments[0];
        const known = () => [0.1, 0.2, null];
        const column = () => ({ min: known(), p95: known(), max: known(), reserved: [0.5, 0.5, 0.5] });
        const used = { cpu: column(), memory: column(), disk: column(), net: column() };
        const host = (cpu) => ({ used: [cpu, NaN, NaN, NaN], reserved: [0.5, 0.5, 0.5, 0.5], words: ["draining"] });
        import("/static/js/past.js").then(({ Past }) => {
            const past = new Past({ step_s: 10, begin: 0, end: 60, at: [10, 20, 50], state: [0, 0, 0], used });
            const before = past.columns("cpu");
            for (const cpu of [0.3, 0.9, 0.4]) past.follow(63, host(cpu));
            const [said, state] = [past.said("cpu", past.nearest(60)), past.state.at(-1)];
            past.forgetBefore(15);
            done({ before, said, unknown: past.said("memory", past.nearest(61)), state, kept: past.times });
        }, (error) => done(String(error)));
    """)
    times, most, *_ = found["before"]

    assert (times, most) == ([10, 20, 30, 50], [0.1, 0.2, None, None])
    assert found["said"] == "30 % to 90 %, p95 90 %, reserved 50 %"
    assert (found["unknown"], found["state"], found["kept"]) == ("unknown", 2, [20, 50, 60])
