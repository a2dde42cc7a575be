// The rows that can be seen, and the one that has the focus: a few elements for any number of hosts. Each stands at its
// place in the order and shows whichever host has it.
import { makeCell } from "./grid-cells.js";
import { element } from "./map-card.js";

export class Rows {
  /** body: the element that holds them; columns: as the server says them; path(name): of a host's page. */
  constructor(body, columns, path, chosen) {
    Object.assign(this, { body, columns, path, chosen });
    this.shown = new Map();
    this.free = [];
  }

  /** Show the places from first to before end, and focus (-1 for none) wherever it is. fill(place): its host and what is known of it now. */
  show(first, end, focus, height, fill, again) {
    const wanted = new Set();
    for (let place = first; place < end; place += 1) wanted.add(place);
    if (focus >= 0) wanted.add(focus);
    for (const [place, row] of this.shown) {
      if (wanted.has(place)) continue;
      this.shown.delete(place);
      this.free.push(row);
    }
    for (const place of wanted) {
      let row = this.shown.get(place);
      if (!row) {
        row = this.free.pop() ?? this.#make();
        this.#put(row, place, height);
      }
      const [host, now] = fill(place);
      row.fill(host, now, again);
    }
    for (const row of this.free) row.element.hidden = true;
  }

  at(place) {
    return this.shown.get(place);
  }

  #put(row, place, height) {
    row.place = place;
    row.element.style.transform = `translateY(${place * height}px)`;
    row.element.ariaRowIndex = String(place + 2);
    row.element.hidden = false;
    this.shown.set(place, row);
  }

  #make() {
    const line = element("div", { className: "row", role: "row" });
    const parts = this.columns.map(({ key, number, wide }) => {
      const cell = element("div", { className: `cell${number ? " n" : ""}${wide ? " wide" : ""}`, role: key === "name" ? "rowheader" : "gridcell", tabIndex: -1 });
      line.append(cell);
      return makeCell(cell, key, this.path);
    });
    const row = { element: line, place: -1, host: null };
    const tick = this.chosen && this.#tick(line);
    row.fill = (host, now, again) => {
      row.host = host;
      for (const part of parts) part(host, now, again);
      if (tick) tick(host);
      const state = now.words.join(" ");
      if (line.dataset.state !== state) line.dataset.state = state;
    };
    this.body.append(line);
    return row;
  }

  /** The box that chooses the host for what is done to many. */
  #tick(line) {
    const cell = element("div", { className: "cell", role: "gridcell", tabIndex: -1 });
    const box = element("input", { type: "checkbox", name: "on", tabIndex: -1 });
    box.setAttribute("form", "bulk");
    cell.append(box);
    line.prepend(cell);
    return ({ name }) => {
      if (box.value !== name) {
        box.value = name;
        box.ariaLabel = `Choose ${name}`;
      }
      const chosen = this.chosen.has(name);
      if (box.checked !== chosen) box.checked = chosen;
      const said = String(chosen);
      if (line.ariaSelected !== said) line.ariaSelected = said;
    };
  }
}
