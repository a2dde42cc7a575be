"""A real Chromium without a window, and how evenly it draws a page."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1440,900",
)
PAINTED_S = 60.0
#: Runs in the page, for so many seconds: when each animation frame was due, and how long after each frame of the
#: feed all of it was drawn. What is not drawn by the end counts with its age: some never finish a picture between two.
WATCH = """
    const [seconds, done] = given;
    const [begun, drawn] = [[], []];
    let since = null;
    const drawer = document.querySelector("cluster-map, host-grid, #peer");
    const { feed } = await import("/static/js/live.js");
    feed.addEventListener("frame", () => { since ??= performance.now(); });
    drawer.addEventListener("painted", () => {
      if (since !== null) drawn.push(performance.now() - since);
      since = null;
    });
    const step = (at) => {
      begun.push(at);
      if (at - begun[0] < seconds * 1000) requestAnimationFrame(step);
      else {
        if (since !== null) drawn.push(performance.now() - since);
        done([begun, drawn]);
      }
    };
    requestAnimationFrame(step);
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """One page for a while. frames_ms: between animation frames; drawn_ms: from what came to its pixels; busy_ms: of
    the page's thread, a second."""

    frames_ms: list[float]
    drawn_ms: list[float]
    busy_ms: float

    @property
    def p99_frame_ms(self) -> float:
        return p99(self.frames_ms)

    @property
    def p99_drawn_ms(self) -> float:
        return p99(self.drawn_ms)


def p99(samples: list[float]) -> float:
    """The least value that 99 of 100 samples do not exceed. Raises ValueError for none."""
    if not samples:
        raise ValueError("samples: none")
    return sorted(samples)[math.ceil(0.99 * len(samples)) - 1]


class Chromium:
    """With a profile of its own, for the length of a block."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="steelyard-bench-"))
        self._driver: Any = None

    def __enter__(self) -> Self:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*FLAGS, f"--user-data-dir={self._folder}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self._driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self._driver.set_script_timeout(300)
        self._driver.execute_cdp_cmd("Performance.enable", {})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._driver.quit()
        shutil.rmtree(self._folder, ignore_errors=True)

    def version(self) -> str:
        return str(self._driver.capabilities["browserVersion"])

    def let_in(self, url: str, session: str) -> None:
        """Carry this session at the console there."""
        cookie = {"name": "sessionid", "value": session, "url": url}
        self._driver.execute_cdp_cmd("Network.setCookie", cookie)

    def open(self, url: str, ready: str) -> None:
        """Load a page and wait until the expression `ready` holds in it.

        Raises TimeoutError where it never gets ready, with what the browser complained of.
        """
        self._driver.get(url)
        deadline = time.monotonic() + PAINTED_S
        while not self._driver.execute_script(f"return Boolean({ready})"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url}: {self._driver.get_log('browser')}")
            time.sleep(0.1)

    def run(self, script: str, *given: object) -> Any:
        """What a script calls done() with, the last of `given`; it may wait for things."""
        return self._driver.execute_async_script(
            f"(async (...given) => {{ {script} }})(...arguments)", *given
        )

    def watch(self, url: str, ready: str, settle_s: float, seconds: float) -> Watched:
        """Open a page, wait until things have settled, and watch its frames. Raises TimeoutError as open() does."""
        self.open(url, ready)
        time.sleep(settle_s)
        before = self._worked_s()
        begun, drawn = self.run(WATCH, seconds)
        busy_ms = (self._worked_s() - before) * 1000 / seconds
        return Watched([after - at for at, after in pairwise(begun)], drawn, busy_ms)

    def _worked_s(self) -> float:
        metrics = self._driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))
