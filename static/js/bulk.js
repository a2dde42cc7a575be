// Choosing rows of a list (console/lists/bar.py): how many, all of them, a range. The forms do without it.

const boxes = (root) => [...root.querySelectorAll("tbody input[name=on]:not(:disabled)")];
let last = null;

document.addEventListener("click", (event) => {
  const box = event.target;
  if (!(box instanceof HTMLInputElement) || box.name !== "on") return;
  const table = box.closest("table");
  if (!table) return;
  if (event.shiftKey && last && last !== box && table.contains(last)) {
    const all = boxes(table);
    const ends = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    for (const each of all.slice(ends[0], ends[1] + 1)) each.checked = box.checked;
  }
  last = box;
});

document.addEventListener("change", (event) => {
  const box = event.target;
  if (!(box instanceof HTMLInputElement) || !(box.name === "on" || box.matches("[data-all], [data-every]"))) return;
  if (box.matches("[data-all]")) for (const each of boxes(box.closest("table"))) each.checked = box.checked;
  show();
});

// A page that comes back from the browser's memory has its ticks again, and nothing has changed since.
addEventListener("pageshow", show);

function show() {
  for (const head of document.querySelectorAll("[data-all]")) {
    const all = boxes(head.closest("table"));
    const chosen = all.filter((each) => each.checked).length;
    head.checked = chosen > 0 && chosen === all.length;
    head.indeterminate = chosen > 0 && chosen < all.length;
  }
  document.querySelector("bulk-bar")?.show();
}

class BulkBar extends HTMLElement {
  /** Said by a table that has more rows than are drawn; null where the boxes say all. */
  said = null;

  connectedCallback() {
    this.show();
  }

  show() {
    const every = this.querySelector("[data-every]").checked;
    const chosen = document.querySelectorAll("input[name=on][form=bulk]:checked").length;
    this.querySelector("[data-count]").textContent = every ? "All chosen" : (this.said?.() ?? `${chosen || "None"} chosen`);
  }
}

customElements.define("bulk-bar", BulkBar);
