"""What the map draws, and what it makes of frames that got lost: in a real browser, on a light server."""

from __future__ import annotations

import pytest
from browser_rig import Browser
from light_console import LightConsole
from selenium.webdriver.common.keys import Keys

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

MAP = "document.querySelector('cluster-map')"
CORDONED, DRAINING, LOST, SILENT = 1, 2, 4, 8
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "__proto__",
    "constructor",
    "\"'><script>alert(1)</script>",
    "a" * 300,
]
#: All pixels of the map, read from a copy made for reading.
PIXELS = f"""
    const canvas = {MAP}.canvas;
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    const context = copy.getContext("2d", {{ willReadFrequently: true }});
    context.drawImage(canvas, 0, 0);
    const data = new Uint32Array(context.getImageData(0, 0, copy.width, copy.height).data.buffer);
    let sum = 0;
    for (const each of data) sum = (Math.imul(sum, 31) + each) | 0;
    return `${{copy.width}}x${{copy.height}} ${{sum}}`;
"""


def look(window: Browser, console: LightConsole) -> None:
    """Open the map and wait until all of it is drawn."""
    window.driver.get("about:blank")  # the last test's page complains that its server is gone
    window.faults()
    console.tick()  # what was said so far
    window.driver.get(console.url)
    hosts = len(console.fleet.columns)
    window.wait(lambda: painted(window) >= hosts, "all tiles")


def painted(window: Browser) -> int:
    """Tiles painted since the last layout."""
    return int(window.script(f"return {MAP}?.painter?.painted ?? 0"))


def frames(window: Browser) -> None:
    """Count what comes from here on."""
    window.script(
        "window.came = 0; return import('/static/js/live.js').then(({ feed }) =>"
        " { window.feed = feed; feed.addEventListener('frame', () => { window.came += 1; }); });"
    )


def tick(window: Browser, console: LightConsole) -> None:
    """Send a frame and wait until the map has drawn what it says."""
    before = window.script("return window.came")
    console.tick()
    window.wait(lambda: window.script("return window.came") > before, "the frame")
    window.wait(lambda: not window.script(f"return {MAP}.painter.length || {MAP}.waiting"), "its pixels")


def title(window: Browser, group: int) -> str:
    return str(window.script(f"return {MAP}.painter.said[{group}]"))


@pytest.mark.parametrize(("hosts", "level"), [(20, "card"), (40, "card"), (110, "chip"), (4000, "cell")])
def test_drawing_what_changed_equals_drawing_all(hosts: int, level: str, window: Browser) -> None:
    """After many deltas, states among them, the pixels are those of a map that is drawn anew."""
    with LightConsole(hosts) as console:
        look(window, console)
        frames(window)
        for number in range(8):
            console.fleet.report(hosts // 4, 1e9)  # in the future: nobody's report grows old meanwhile
            for state in (CORDONED, DRAINING, LOST | SILENT, SILENT, 0):
                console.say((number * 3 + state) % hosts, state=state)
            tick(window, console)
        by_deltas = window.script(PIXELS)
        window.script(f"{MAP}.arrange()")

        assert window.script(f"return {MAP}.plan.level") == level
        assert by_deltas == window.script(PIXELS)
        assert window.faults() == []


def test_only_what_looks_otherwise_is_painted(window: Browser) -> None:
    """Of ten thousand hosts three report: one as before, one a figure of the same colour, one of another."""
    with LightConsole(10_000) as console:
        for row in (5, 6, 7):
            console.say(row, used=100)
        look(window, console)
        frames(window)
        before = painted(window)
        for row, used in ((5, 100), (6, 101), (7, 249)):
            console.say(row, used=used)
        tick(window, console)

        assert painted(window) == before + 1


def test_a_missed_frame_is_asked_for(window: Browser) -> None:
    """What a lost frame said is on the map soon after the next one, because the browser asked for all of it; once."""
    with LightConsole(40) as console:
        look(window, console)
        frames(window)
        console.say(3, used=247)
        console.tick(lost=True)
        console.say(4, used=11)
        console.tick()
        window.wait(lambda: window.script("return window.feed.frame.used[12]") == 247, "the lost figure")
        window.wait(lambda: not window.script(f"return {MAP}.painter.length"), "its pixels")
        by_snapshot = window.script(PIXELS)
        window.script(f"{MAP}.arrange()")
        asked = console.server.asked
        tick(window, console)

        assert by_snapshot == window.script(PIXELS)
        assert window.script("return window.feed.frame.used[16]") == 11
        assert (asked, console.server.asked) == (1, 1)


def test_a_group_says_its_worst_and_what_is_unknown(window: Browser) -> None:
    """Its title follows each report; a silent host's figures are unknown, not what they were."""
    with LightConsole(8, colour="cpu") as console:
        for row in range(8):
            console.say(row, used=50 + row)
        look(window, console)
        frames(window)
        first = title(window, 1)  # east, north, south, west: 0 and 4 are in the north
        console.say(4, used=225)
        tick(window, console)
        higher = title(window, 1)
        console.say(4, state=SILENT)
        tick(window, console)

        assert first == "2 hosts, highest 22 %"
        assert higher == "2 hosts, highest 90 %"
        assert title(window, 1) == "2 hosts, highest 20 %, 1 unknown"


def test_hosts_move_to_the_group_of_their_state(window: Browser) -> None:
    """Grouped by what changes, hosts change their group, all together and not with every frame."""
    with LightConsole(12, group="state") as console:
        look(window, console)
        frames(window)
        console.say(2, state=DRAINING)
        tick(window, console)
        soon = window.script(f"return {MAP}.plan.groups.map(({{ title }}) => title)")
        window.script(f"{MAP}.arrangedAt -= 10000")
        tick(window, console)

        assert soon == ["active"]
        assert window.script(
            f"return {MAP}.plan.groups.map(({{ title, rows }}) => [title, rows.length])"
        ) == [
            ["draining", 1],
            ["active", 11],
        ]


def test_the_view_is_in_the_url(window: Browser) -> None:
    """Group, colour and size each change the address and the map, without a reload."""
    with LightConsole(30) as console:
        look(window, console)
        window.script("window.kept = true")
        for key, value in (("group", "rack"), ("colour", "headroom"), ("size", "cores")):
            window.script(
                f"const field = document.getElementById('map-choice').elements.{key}; field.value = '{value}';"
                "field.dispatchEvent(new Event('change', { bubbles: true }));"
            )
        window.wait(lambda: "size=cores" in window.driver.current_url, "the address")

        assert window.driver.current_url.endswith("?group=rack&colour=headroom&size=cores")
        assert window.script("return window.kept")
        assert window.script(f"return {MAP}.plan.groups.map(({{ title }}) => title)") == ["rack r0"]
        assert "headroom" in window.text("#map-legend")
        assert "the larger, the more: cores" in window.text("#map-legend")


@pytest.mark.parametrize("measure", ["worst", "cpu", "dominant", "headroom", "age", "state", "zone"])
def test_everything_can_be_grouped_coloured_and_sized_by(measure: str, window: Browser) -> None:
    """Each measure, and a label, as each of the three, without a complaint of the browser."""
    size = "" if measure == "zone" else measure
    with LightConsole(25, group=measure, colour=measure, size=size) as console:
        console.say(1, state=LOST | SILENT)
        look(window, console)

        assert window.script(f"return {MAP}.plan.hosts") == 25
        assert window.text("#map-legend [data-colours]") != ""
        assert window.faults() == []


def test_keys_reach_every_host_and_speak(window: Browser) -> None:
    """Home and End are the first and last by name with numbers as numbers; arrows go on from there."""
    with LightConsole(11, names=[f"h-{number}" for number in range(11)], group="") as console:
        look(window, console)
        canvas = window.one("cluster-map canvas")
        said = []
        for key in (Keys.HOME, Keys.END, Keys.ARROW_LEFT, Keys.ARROW_UP):
            canvas.send_keys(key)
            said.append(window.text("cluster-map > [role=status]").split(",")[0])

        assert said[:3] == ["h-0", "h-10", "h-9"]
        assert said[3] not in said[:3]


def test_hostile_names_are_text(window: Browser) -> None:
    """Names that are markup, or called like what every object has, are drawn, spoken and shown as they are."""
    with LightConsole(len(HOSTILE), names=HOSTILE, group="constructor", colour="__proto__") as console:
        look(window, console)
        canvas = window.one("cluster-map canvas")
        shown = set()
        for _ in HOSTILE:
            canvas.send_keys(Keys.ARROW_RIGHT if shown else Keys.HOME)
            shown.add(window.text("cluster-map .card strong"))

        assert shown == set(HOSTILE)
        assert window.script(f"return {MAP}.plan.groups[0].title") == "without constructor"
        assert (
            window.script("return document.querySelectorAll('cluster-map img, cluster-map script').length")
            == 0
        )
        assert window.faults() == []


#: The map as SVG beside the map on canvas: how many of a hundred pixels differ, and what an XML parser makes of it.
REDRAWN = f"""
    const done = arguments[0];
    (async () => {{
      const map = {MAP};
      const {{ vectorOf }} = await import("/static/js/map-picture.js");
      const {{ feed }} = await import("/static/js/live.js");
      const words = {{ title: "The map", detail: "", legend: map.legend.entries }};
      const text = await vectorOf(map.painter, feed.frame, map.clientWidth, map.marks(), words).text();
      const image = new Image();
      image.src = `data:image/svg+xml,${{encodeURIComponent(text)}}`;
      await image.decode();
      const {{ width, height }} = map.canvas;
      const pixels = (source, x, y) => {{
        const context = new OffscreenCanvas(width, height).getContext("2d", {{ willReadFrequently: true }});
        context.fillStyle = getComputedStyle(document.body).backgroundColor;
        context.fillRect(0, 0, width, height);
        context.drawImage(source, x, y);
        return context.getImageData(0, 0, width, height).data;
      }};
      const [seen, drawn] = [pixels(map.canvas, 0, 0), pixels(image, -16, -56)];
      let other = 0;
      for (let at = 0; at < seen.length; at += 4) {{
        if ([0, 1, 2].some((each) => Math.abs(seen[at + each] - drawn[at + each]) > 48)) other += 1;
      }}
      const parsed = new DOMParser().parseFromString(text, "image/svg+xml");
      const names = [...parsed.querySelectorAll("*")].map((each) => each.localName);
      const texts = [...parsed.querySelectorAll("text")].map((each) => each.textContent);
      done([(400 * other) / seen.length, [...new Set(names)], texts]);
    }})();
"""


@pytest.mark.parametrize("hosts", [12, 400])
def test_the_drawing_is_what_is_on_the_screen(hosts: int, window: Browser) -> None:
    """Cards and cells in every state: the SVG, drawn by the browser, differs in hardly a pixel from the map."""
    with LightConsole(hosts) as console:
        for row, state in enumerate((CORDONED, DRAINING, LOST, SILENT, LOST | SILENT, DRAINING | SILENT)):
            console.say(row, state=state)
        look(window, console)
        other, _, _ = window.driver.execute_async_script(REDRAWN)

    assert other < 3


def test_hostile_names_make_nothing_of_the_drawing(window: Browser) -> None:
    """They are texts in it, and it is one well-formed document."""
    with LightConsole(len(HOSTILE), names=HOSTILE, group="constructor") as console:
        look(window, console)
        _, names, texts = window.driver.execute_async_script(REDRAWN)

    assert set(names) <= {"svg", "defs", "pattern", "g", "path", "text"}
    assert any(text.startswith("<img") for text in texts)
