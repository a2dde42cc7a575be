// What every page loads: the elements that stand on several pages, keys, dialogs and copy buttons. What only one page has,
// that page loads.
import "./bulk.js";
import "./live-elements.js";
import "./live-part.js";
import "./load-strip.js";
import "./service-page.js";
import "./underway.js";
import "./waiter.js";
import { listenToKeys } from "./keys.js";
import { listenForPalette } from "./palette.js";

listenToKeys();
listenForPalette();

document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-opens], [data-closes], [data-copies]") : null;
  if (!button) return;
  const { opens, copies } = button.dataset;
  if (opens) document.getElementById(opens).showModal();
  else if (copies) await copy(document.getElementById(copies), button);
  else button.closest("dialog").close();
});

// A link to a question, "#confirm-drain", puts it: that is how the search leads to what asks first.
function putLinked() {
  const linked = document.getElementById(location.hash.slice(1));
  if (!linked?.matches("dialog.confirm:not([open])")) return;
  linked.addEventListener("close", () => history.replaceState(null, "", location.pathname + location.search), { once: true });
  linked.showModal();
}

addEventListener("hashchange", putLinked);
putLinked();

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
