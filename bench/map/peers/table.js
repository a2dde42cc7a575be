// A host is a row of the document, as where a server draws a table and its rows are renewed one by one; the same feed, in
// the same order.
import { BARS, feed, percent, share } from "/static/js/live.js";

const HEADS = ["host", ...BARS, "address"];
const rows = [];
let body = null;

feed.addEventListener("directory", () => {
  const table = document.createElement("table");
  table.className = "list";
  const head = table.createTHead().insertRow();
  for (const text of HEADS) head.append(Object.assign(document.createElement("th"), { textContent: text }));
  body = table.createTBody();
  feed.hosts.forEach(({ name, address }, row) => {
    rows[row] = body.insertRow();
    for (const text of [name, ...BARS.map(() => ""), address]) rows[row].insertCell().textContent = text;
  });
  document.getElementById("peer").replaceChildren(table);
});

feed.addEventListener("frame", () => {
  const { used } = feed.frame;
  for (const row of feed.changed ?? rows.keys()) {
    for (let bar = 0; bar < BARS.length; bar += 1) rows[row].cells[bar + 1].textContent = percent(share(used[row * 4 + bar]));
  }
  body.append(...[...rows.keys()].sort((a, b) => used[b * 4] - used[a * 4] || a - b).map((row) => rows[row]));
  document.documentElement.dataset.painted = "yes";
  // The browser draws it when this has run.
  requestAnimationFrame(() => document.getElementById("peer").dispatchEvent(new Event("painted")));
});
