// What every page loads: the custom elements, keys, dialogs and copy buttons.
import "./bulk.js";
import "./cluster-map.js";
import "./host-page.js";
import "./live-elements.js";
import "./live-part.js";
import "./load-strip.js";
import "./service-page.js";
import "./underway.js";
import "./waiter.js";
import { listenToKeys } from "./keys.js";

listenToKeys();

document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-opens], [data-closes], [data-copies]") : null;
  if (!button) return;
  const { opens, copies } = button.dataset;
  if (opens) document.getElementById(opens).showModal();
  else if (copies) await copy(document.getElementById(copies), button);
  else button.closest("dialog").close();
});

/** Say "Copied" only when it was: without a secure context there is no clipboard, then the text is selected instead. */
async function copy(source, button) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    button.textContent = "Selected: press Ctrl+C";
  }
}

// On a phone the navigation lies over the page: following a link of the same page must not leave it there.
document.getElementById("nav")?.addEventListener("click", (event) => {
  const nav = event.currentTarget;
  if (nav.matches(":popover-open")) nav.hidePopover();
});
