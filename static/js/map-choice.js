// What the map shows, chosen in a form and kept in the URL, so that a view can be sent to somebody.
import { choiceOf, coresMeasure, labelMeasure, labelOf, measureOf } from "./map-measures.js";

const KEYS = ["group", "colour", "size"];

export class Choice {
  /** Calls changed() after every change. */
  constructor(form, attributes, changed) {
    this.form = form;
    Object.assign(this, attributes);
    form?.addEventListener("submit", (event) => event.preventDefault());
    form?.addEventListener("change", () => {
      Object.assign(this, Object.fromEntries(new FormData(form)));
      for (const key of KEYS) keep(key, this[key]);
      changed();
    });
  }

  /** Every label that a host carries can be grouped and coloured by. */
  offer(hosts) {
    const labels = new Set();
    for (const host of hosts) for (const key of Object.keys(host.labels)) labels.add(key);
    for (const key of ["group", "colour"]) {
      const select = this.form?.elements[key];
      const known = new Set(Array.from(select?.options ?? [], ({ value }) => value));
      const place = select?.querySelector("optgroup[data-labels]");
      for (const label of [...labels].sort()) {
        if (!known.has(choiceOf(label))) place?.append(new Option(label, choiceOf(label)));
      }
    }
  }

  colourOf(hosts) {
    return measureOf(this.colour) ?? labelMeasure(hosts, labelOf(this.colour));
  }

  /** Null where all tiles are of one size. */
  sizeOf(hosts) {
    return this.size === "cores" ? coresMeasure(hosts) : (measureOf(this.size) ?? null);
  }
}

/** A value of the URL, without a new entry in the history; "" for none stays there, because absent means the usual. */
export function keep(key, value) {
  const url = new URL(location.href);
  if (value === null) url.searchParams.delete(key);
  else url.searchParams.set(key, value);
  history.replaceState(null, "", url);
}

export function kept(key) {
  return new URL(location.href).searchParams.get(key);
}
