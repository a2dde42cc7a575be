// What the grid shows, kept in the URL: filters and order. Whatever else on the page says the same follows.

const KEYS = ["q", "label", "state", "sort"];
/** Not part of a view: see console/lists/page.py. */
const PASSING = ["page", "t"];

export function readView() {
  const asked = new URL(location.href).searchParams;
  return Object.fromEntries(KEYS.map((key) => [key, (asked.get(key) ?? "").trim()]));
}

/** push: a step that the back button takes back. */
export function writeView(view, push) {
  const url = new URL(location.href);
  for (const key of KEYS) {
    if (view[key]) url.searchParams.set(key, view[key]);
    else url.searchParams.delete(key);
  }
  url.searchParams.delete("page");
  if (url.href !== location.href) history[push ? "pushState" : "replaceState"](null, "", url);
}

/** Tell the form, the exports and the saved views of the page. */
export function tellPage(view, form) {
  for (const field of form.elements) {
    if (KEYS.includes(field.name) && field.value !== view[field.name]) field.value = view[field.name];
  }
  const asked = new URL(location.href).searchParams;
  for (const key of PASSING) asked.delete(key);
  for (const field of document.querySelectorAll("[data-view]")) field.value = asked.toString();
  const which = document.querySelector("bulk-bar [data-which]");
  if (which) which.textContent = view.q || view.label || view.state ? "that match the filter" : "of the list";
  for (const link of document.querySelectorAll("[data-view-link]")) {
    const url = new URL(link.href);
    const columns = url.searchParams.get("columns");
    url.search = asked.toString();
    if (columns) url.searchParams.set("columns", columns);
    link.href = url;
  }
  for (const link of document.querySelectorAll(".saved a")) {
    const same = new URL(link.href).searchParams.toString() === asked.toString();
    if (same) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

const MOST_OFFERED = 200;

let counted = { hosts: null, common: [] };

/** The labels that hosts carry, the commonest first, for the field that narrows by them: each behind what is typed before. */
export function offerLabels(list, hosts, typed) {
  const before = typed.slice(0, typed.lastIndexOf(" ") + 1);
  if (counted.hosts === hosts && list.dataset.before === before) return;
  if (counted.hosts !== hosts) counted = { hosts, common: commonLabels(hosts) };
  list.dataset.before = before;
  const offers = counted.common.map(([said, count]) => new Option(`${count} host${count === 1 ? "" : "s"}`, before + said));
  list.replaceChildren(...offers);
}

function commonLabels(hosts) {
  const counts = new Map();
  for (const { labels } of hosts) {
    for (const [key, value] of Object.entries(labels ?? {})) {
      const said = `${key}=${value}`;
      counts.set(said, (counts.get(said) ?? 0) + 1);
    }
  }
  return [...counts].sort(([a, many], [b, most]) => most - many || (a < b ? -1 : 1)).slice(0, MOST_OFFERED);
}
