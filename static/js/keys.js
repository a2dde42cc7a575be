// Keys that work on every page. Where they lead stands on the navigation's links (data-key), nowhere else.
import { openPalette } from "./palette.js";
import { numberRows } from "./row-numbers.js";

const SECOND_KEY_MS = 1500;

/**
 * "g" and a letter goes to a page, "/" opens the palette, "?" shows the keys, Shift numbers the rows. Not while somebody
 * types, and not for who switched them off.
 */
export function listenToKeys() {
  if (document.querySelector(".frame")?.dataset.keys === "off") return;
  numberRows();
  let armedUntil = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (performance.now() < armedUntil) {
      armedUntil = 0;
      const link = [...document.querySelectorAll("#nav a[data-key]")].find((each) => each.dataset.key === event.key);
      if (link) {
        event.preventDefault();
        link.click();
      }
    } else if (event.key === "g") {
      armedUntil = performance.now() + SECOND_KEY_MS;
    } else if (event.key === "/") {
      event.preventDefault();
      openPalette();
    } else if (event.key === "?") {
      event.preventDefault();
      document.getElementById("keys").showModal();
    }
  });
}

export function isTyping(target) {
  return target instanceof Element && Boolean(target.closest("input, textarea, select, [contenteditable]"));
}
