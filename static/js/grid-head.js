// The head of the grid: what it is ordered by, and all that is shown as one choice.
import { element } from "./map-card.js";

export class Head {
  /** sort(key): called with what ?sort= then says; choose(on): of all that is shown, null where nothing is chosen. */
  constructor(columns, sort, choose) {
    this.columns = columns;
    this.element = element("div", { role: "rowgroup", className: "heads" });
    this.row = element("div", { role: "row", className: "row", ariaRowIndex: "1" });
    this.element.append(this.row);
    if (choose) this.row.append(this.#all(choose));
    this.cells = columns.map((column) => this.#head(column, sort));
    this.row.append(...this.cells);
  }

  /** sorted: as ?sort= says it, by name for none. */
  show(sorted) {
    this.sorted = sorted || "name";
    this.columns.forEach(({ key }, each) => {
      const order = { [key]: "ascending", [`-${key}`]: "descending" }[this.sorted] ?? "none";
      if (this.cells[each].ariaSort !== order) this.cells[each].ariaSort = order;
    });
  }

  /** How much of what is shown is chosen. */
  tell(chosen, shown) {
    if (!this.box) return;
    this.box.checked = shown > 0 && chosen === shown;
    this.box.indeterminate = chosen > 0 && chosen < shown;
  }

  #all(choose) {
    const cell = element("div", { role: "columnheader", className: "cell", tabIndex: -1 });
    this.box = element("input", { type: "checkbox", ariaLabel: "Choose all that are shown", tabIndex: -1 });
    this.box.addEventListener("change", () => choose(this.box.checked));
    cell.append(this.box);
    return cell;
  }

  /** Pressed once numbers begin with the most, all else with the first; pressed again, from the other end. */
  #head({ key, title, number, wide, hint }, sort) {
    const cell = element("div", { role: "columnheader", className: `cell${number ? " n" : ""}${wide ? " wide" : ""}`, tabIndex: -1 });
    const button = element("button", { type: "button", textContent: title, title: hint, tabIndex: -1 });
    const [first, second] = number ? [`-${key}`, key] : [key, `-${key}`];
    button.addEventListener("click", () => sort(this.sorted === first ? second : first));
    cell.append(button);
    return cell;
  }
}
