"""A real Chromium, as the tests of pages drive it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

#: axe-core, as package-lock.json has it.
AXE = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1440,900",
)


class Browser:
    """A Chromium with a fresh profile. wait() for what must become true; faults(): its complaints."""

    def __init__(self, folder: Path, *, dark: bool = False, width: int = 1440, height: int = 900) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*FLAGS, f"--user-data-dir={folder}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.scheme("dark" if dark else "light")
        self.size(width, height)

    def scheme(self, value: str) -> None:
        media = [{"name": "prefers-color-scheme", "value": value}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})

    def size(self, width: int, height: int) -> None:
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)

    def become_administrator(self, link: str, who: tuple[str, str]) -> None:
        """Make the first administrator by the one-time link, name and password; the page then is the map."""
        self.driver.get(link)
        for name, value in zip(("username", "password"), who, strict=True):
            self.driver.find_element("name", name).send_keys(value)
        self.one("button").click()
        self.wait(lambda: urlsplit(self.driver.current_url).path == "/", "the map after setting up")

    def close(self) -> None:
        self.driver.quit()

    def leave(self) -> None:
        """Go away from the page, so that nothing of it is left for the next test: neither complaints nor its looks."""
        self.driver.get("about:blank")
        self.faults()
        self.scheme("light")
        self.size(1440, 900)

    def wait(self, test: Callable[[], Any], what: str, seconds: float = 20) -> Any:
        return WebDriverWait(self.driver, seconds, poll_frequency=0.1).until(lambda _: test(), what)

    def script(self, code: str) -> Any:
        return self.driver.execute_script(code)

    def one(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        return self.script(f"return document.querySelector({selector!r})?.textContent ?? ''").strip()

    def faults(self) -> list[str]:
        """Its complaints since the last call: refused by the policy, failed to load, thrown."""
        return [
            line["message"]
            for line in self.driver.get_log("browser")
            if line["level"] in ("SEVERE", "WARNING")
        ]
