"""The live table of all hosts, in a real browser: on a light server, where a test says what hosts report."""

from __future__ import annotations

import json
from typing import Any

import pytest
from browser_rig import AXE, Browser
from light_console import LightConsole
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

CORDONED, SILENT = 1, 8
ALL = "state load worst cpu memory disk net cpu_reserved net_reserved address labels age"
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "__proto__",
    "constructor",
    "\"'><script>alert(1)</script>",
    "a" * 300,
]
#: The names of the rows, from the top.
NAMES = """
    const rows = [...document.querySelectorAll("host-grid .rows > .row:not([hidden])")];
    rows.sort((a, b) => a.ariaRowIndex - b.ariaRowIndex);
    return rows.map((row) => row.querySelector("[role=rowheader]").textContent);
"""
#: The greatest aria-rowindex of all rows.
LAST = """
    const rows = [...document.querySelectorAll("host-grid .rows > .row")];
    return Math.max(...rows.map((row) => row.ariaRowIndex));
"""


def look(window: Browser, console: LightConsole, query: str = "", rows: bool = True) -> None:
    """Open the page and wait until the table stands."""
    window.driver.get("about:blank")  # the last test's page complains that its server is gone
    window.faults()
    console.tick()  # what was said so far
    window.driver.get(f"{console.url}hosts/{query}")
    window.wait(
        lambda: window.script("return Boolean(document.querySelector('host-grid .live-grid:not([hidden])'))"),
        "the table",
    )
    if rows:
        window.wait(lambda: window.script(NAMES), "its rows")


def names(window: Browser) -> list[str]:
    return list(window.script(NAMES))


def count(window: Browser) -> str:
    return window.text("host-grid .count")


def bar(window: Browser) -> str:
    """What the bar above the table says of what is chosen."""
    return window.text("[data-count]")


def focused(window: Browser) -> str:
    """The text, or the name for readers, of what has the focus."""
    return str(window.script("return document.activeElement.ariaLabel ?? document.activeElement.textContent"))


def at(window: Browser) -> Any:
    """The place that the focus is at: aria-rowindex, and the column's title."""
    return window.script("""
        const row = document.activeElement.closest("[role=row]");
        const cell = document.activeElement.closest(".cell");
        const head = document.querySelector("host-grid .heads .row");
        return [row.ariaRowIndex, head.children[[...row.children].indexOf(cell)].textContent];
    """)


def test_rows_change_places_with_every_report(window: Browser) -> None:
    """By the worst use the most used host is on top, whoever that is after each report; silent ones are last."""
    with LightConsole(6) as console:
        for row in range(6):
            console.say(row, used=20 + row)
        look(window, console, "?sort=-worst")
        first = names(window)
        console.say(0, used=240)
        console.say(5, state=SILENT)
        console.tick()
        window.wait(lambda: names(window)[0] == "host-00000", "the other order")

        assert [f"host-{row:05}" for row in (5, 4, 3, 2, 1, 0)] == first
        assert [f"host-{row:05}" for row in (0, 4, 3, 2, 1, 5)] == names(window)
        assert window.text("host-grid [aria-sort=descending]") == "Worst"
        assert window.faults() == []


@pytest.mark.parametrize("key", ["name", *ALL.split()])
def test_every_column_orders_both_ways(key: str, window: Browser) -> None:
    """What is known comes first from either end, and ties are by name."""
    with LightConsole(9, columns=ALL) as console:
        for row in range(8):
            console.say(row, used=20 + row)
        console.say(8, state=SILENT)
        console.say(3, state=CORDONED)
        look(window, console, f"?sort={key}")
        up = names(window)
        window.script("document.querySelector('host-grid [aria-sort=ascending] button').click()")
        window.wait(lambda: f"sort=-{key}" in window.driver.current_url, "the address")
        down = names(window)

        assert sorted(up) == sorted(down)
        assert up != down or key == "age"  # all reported at once
        if key in ("cpu", "memory", "disk", "net", "worst", "load"):
            assert up[-1] == down[-1] == "host-00008"
            assert up[:-1] == down[-2::-1]


def test_ten_thousand_hosts_are_a_few_elements(window: Browser) -> None:
    """The table says how many rows it has and which of them these are, wherever it is scrolled to."""
    with LightConsole(10_000) as console:
        look(window, console)
        window.script("document.querySelector('host-grid .scroller').scrollTop = 1e9")
        window.wait(lambda: names(window)[-1] == "host-09999", "the last rows")

        assert window.script("return document.querySelector('host-grid [role=grid]').ariaRowCount") == "10001"
        assert window.script("return document.querySelectorAll('host-grid [role=row]').length") < 60
        assert window.script(LAST) == 10_001
        assert window.script("return document.querySelectorAll('*').length") < 1500


def test_keys_reach_every_cell_and_enter_opens(window: Browser) -> None:
    """One stop for Tab; arrows, Home, End and pages from there; Enter leads to the host."""
    with LightConsole(500) as console:
        look(window, console)
        assert window.script("return document.querySelectorAll('host-grid [tabindex=\"0\"]').length") == 1
        window.script("document.querySelector('host-grid [tabindex=\"0\"]').focus()")
        seen = [at(window)]
        for key in (Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.HOME, Keys.ARROW_RIGHT):
            ActionChains(window.driver).send_keys(key).perform()
            seen.append(at(window))
        ActionChains(window.driver).key_down(Keys.CONTROL).send_keys(Keys.END).key_up(Keys.CONTROL).perform()
        last = at(window)
        ActionChains(window.driver).send_keys(
            Keys.HOME, Keys.ARROW_RIGHT, Keys.PAGE_UP, Keys.PAGE_DOWN, Keys.ARROW_UP
        ).perform()
        name = focused(window)
        console.tick()
        ActionChains(window.driver).send_keys(Keys.ENTER).perform()
        window.wait(lambda: window.driver.current_url.endswith(f"/hosts/{name}/"), "the host's page")

        assert seen == [["2", "Host"], ["3", "Host"], ["3", "State"], ["3", "Load"], ["3", ""], ["3", "Host"]]
        assert last == ["501", "Last report"]
        assert name == "host-00498"


def test_the_view_is_in_the_url_and_back_takes_it_back(window: Browser) -> None:
    """Text, label, state and order change the address without a reload; the back button undoes them step by step."""
    with LightConsole(40) as console:
        console.say(4, state=CORDONED)
        look(window, console, "?label=zone%3Dnorth")
        labelled = count(window)
        look(window, console, "?label=zone%3Dnorth+zone%3Dsouth+rack")
        several = count(window)
        look(window, console, "?label=zone%3Dnorth")
        window.script("window.kept = true")
        window.script("""
            const { state } = document.getElementById("host-filters").elements;
            state.value = "cordoned";
            state.dispatchEvent(new Event("input", { bubbles: true }));
        """)
        both, query = count(window), window.script("return location.search")
        exported = window.script("return document.querySelector('[data-view-link]').href")
        kept = window.script("return document.querySelector('[data-view]').value")
        window.one("[name=q]").send_keys("nobody")
        none = count(window)
        window.driver.back()
        window.wait(lambda: count(window) == "1 of 40 hosts", "the view without the text")
        window.driver.back()
        window.wait(lambda: count(window) == "10 of 40 hosts", "the view before")

        assert several == "20 of 40 hosts"
        assert (labelled, both, none) == ("10 of 40 hosts", "1 of 40 hosts", "0 of 40 hosts")
        assert query == "?label=zone%3Dnorth&state=cordoned"
        assert exported.endswith("?label=zone%3Dnorth&state=cordoned")
        assert kept == "label=zone%3Dnorth&state=cordoned"
        assert window.script("return window.kept")
        assert window.script("return document.getElementById('host-filters').elements.state.value") == ""


def test_chosen_hosts_stay_chosen_wherever_they_stand(window: Browser) -> None:
    """By a click, by Space, or all that are shown; what is posted names each of them, seen or not."""
    with LightConsole(300) as console:
        look(window, console, "?sort=-worst")
        window.script("document.querySelector('host-grid .rows [type=checkbox]').click()")
        first = window.script(
            "return document.querySelector('host-grid .rows [type=checkbox]:checked').value"
        )
        row = int(first.removeprefix("host-"))
        window.script("document.activeElement.blur()")
        console.say(row, used=0)
        console.tick()
        window.wait(lambda: first not in names(window), "it to fall to the end")
        posted = "return new FormData(document.getElementById('bulk')).getAll('on')"
        one = window.script(posted)
        window.one("[name=q]").send_keys("host-0000")
        window.wait(lambda: count(window) == "10 of 300 hosts", "the ten")
        window.script("document.querySelector('host-grid .heads [type=checkbox]').click()")
        window.wait(lambda: "10" in bar(window) or "11" in bar(window), "the number")

        assert one == [first]
        assert {first, *(f"host-{each:05}" for each in range(10))} == set(window.script(posted))
        assert bar(window) == ("11 chosen, 1 of them not shown" if row > 9 else "10 chosen")


def test_too_many_at_once_are_said(window: Browser) -> None:
    """More than the server takes stands beside the buttons; who ticks all of the list leaves the number to it."""
    with LightConsole(1200) as console:
        look(window, console)
        none = bar(window)
        window.script("document.querySelector('host-grid .heads [type=checkbox]').click()")
        window.wait(lambda: bar(window) == "1,200 chosen: at most 1,000 at once", "the number")
        window.one("[data-every]").click()

        assert (none, bar(window)) == ("None chosen", "All chosen")


def test_nothing_slips_away_from_who_stands_on_a_row(window: Browser) -> None:
    """While a row has the focus its figures go on and its place stays; the table says so, and goes on afterwards."""
    with LightConsole(20) as console:
        for row in range(20):
            console.say(row, used=100 - row)
        look(window, console, "?sort=-worst")
        window.one("host-grid .rows .row a").send_keys(Keys.ARROW_DOWN)
        before = focused(window)
        console.say(19, used=250)
        console.say(1, used=240)
        console.tick()
        window.wait(
            lambda: "96 %" in window.script("return document.activeElement.closest('.row').textContent"),
            "its figure",
        )
        held, said, name = names(window), count(window), focused(window)
        window.script("document.activeElement.blur()")
        window.wait(lambda: names(window)[0] == "host-00019", "the order of now")

        assert (before, name) == ("host-00001", "host-00001")
        assert held == [f"host-{row:05}" for row in range(20)]
        assert said == "20 of 20 hosts; their order waits while you are on a row"


def test_hostile_names_are_text(window: Browser) -> None:
    """Names that are markup, or called like what every object has, are shown, found and linked as they are."""
    with LightConsole(len(HOSTILE), names=HOSTILE) as console:
        look(window, console, "?label=__proto__", rows=False)
        unlabelled = count(window)
        look(window, console, "?q=%3Cscript")
        found = names(window)
        look(window, console)

        assert unlabelled == f"0 of {len(HOSTILE)} hosts"
        assert found == ["\"'><script>alert(1)</script>"]
        assert set(names(window)) == set(HOSTILE)
        assert (
            window.script("return document.querySelectorAll('host-grid img, host-grid script').length") == 0
        )
        assert window.script("""
            const links = [...document.querySelectorAll("host-grid .rows a")];
            return links.every((link) => decodeURIComponent(link.pathname) === `/hosts/${link.textContent}/`);
        """)
        assert window.faults() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_table(scheme: str, window: Browser) -> None:
    """With every column, a row chosen, the popups of columns and views open."""
    window.scheme(scheme)
    with LightConsole(60, columns=ALL) as console:
        console.say(1, state=SILENT)
        look(window, console)
        window.script("document.querySelector('host-grid .rows [type=checkbox]').click()")
        found = []
        for popup in ("columns", "views"):
            window.script(f"document.getElementById('{popup}').showPopover()")
            window.driver.execute_script(AXE.read_text())
            found += window.driver.execute_async_script(
                "const done = arguments[0], include = [['.head'], ['bulk-bar'], ['host-grid']];"
                "axe.run({ include }).then(({ violations }) => done(violations.map("
                "({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.html.slice(0, 200))])))"
            )
        window.scheme("light")

        assert found == [], json.dumps(found, indent=1)


def test_a_phone_scrolls_inside_the_table(window: Browser) -> None:
    """390 px: the page itself does not move sideways, and the columns that are for wide screens are gone."""
    window.size(390, 844)
    with LightConsole(60, columns=ALL) as console:
        look(window, console)
        width = window.script("return document.documentElement.scrollWidth")
        shown = window.script("""
            const heads = [...document.querySelectorAll("host-grid .heads .cell")];
            return heads.filter((cell) => cell.offsetParent).map((cell) => cell.textContent);
        """)
    window.size(1440, 900)

    assert width <= 390
    assert shown == ["", "Host", "State", "Load", "Worst", "Last report"]


def test_numbers_are_of_the_rows_in_sight(window: Browser) -> None:
    """Scrolled into the middle, Shift numbers what is seen and nothing beyond, in its order, until it is let go."""
    with LightConsole(300) as console:
        look(window, console)
        window.script("document.querySelector('host-grid .scroller').scrollTop = 4000")
        window.wait(lambda: "host-00000" not in names(window), "other rows")
        ActionChains(window.driver).key_down(Keys.SHIFT).perform()
        numbered = """
            const head = document.querySelector("host-grid .heads").getBoundingClientRect().bottom;
            const links = [...document.querySelectorAll("host-grid [data-number]")];
            links.sort((a, b) => a.dataset.number - b.dataset.number);
            return links.map((each) => [each.textContent, each.getBoundingClientRect().bottom > head]);
        """
        shown = window.wait(lambda: window.script(numbered), "the numbers")
        ActionChains(window.driver).key_up(Keys.SHIFT).perform()
        left, drawn = window.script(numbered), len(names(window))

    texts = [name for name, _ in shown]
    assert all(seen for _, seen in shown)
    assert texts == sorted(texts)
    assert 5 < len(texts) < drawn
    assert left == []
