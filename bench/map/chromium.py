"""A real Chromium without a window, and how evenly it draws a page."""

from __future__ import annotations

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
#: Runs in the page: when each animation frame began, for so many seconds.
WATCH = """
    const [seconds, done] = arguments;
    const begun = [];
    const step = (at) => {
      begun.push(at);
      if (at - begun[0] < seconds * 1000) requestAnimationFrame(step);
      else done(begun);
    };
    requestAnimationFrame(step);
"""


@dataclass(frozen=True, slots=True)
class Smoothness:
    """frames_ms: between one animation frame and the next; busy: share of the time that the page's thread worked."""

    frames_ms: list[float]
    busy: float

    @property
    def p99_ms(self) -> float:
        """The 99th percentile: the rank that at least 99 of 100 frames do not exceed."""
        ordered = sorted(self.frames_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


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

    def watch(self, url: str, ready: str, settle_s: float, seconds: float) -> Smoothness:
        """Open a page, wait until the expression `ready` holds in it and things have settled, and watch its frames.

        Raises TimeoutError where it never gets ready, with what the browser complained of.
        """
        self._driver.get(url)
        deadline = time.monotonic() + PAINTED_S
        while not self._driver.execute_script(f"return Boolean({ready})"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url}: {self._driver.get_log('browser')}")
            time.sleep(0.1)
        time.sleep(settle_s)
        before = self._worked_s()
        begun = self._driver.execute_async_script(WATCH, seconds)
        busy = (self._worked_s() - before) / seconds
        return Smoothness([after - at for at, after in pairwise(begun)], busy)

    def _worked_s(self) -> float:
        metrics = self._driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))
