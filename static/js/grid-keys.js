// The grid by keyboard: one cell of it is reached by Tab, arrows go on from there. The head is place -1.

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export class Keys {
  place = 0;
  column = 0;

  /**
   * rowAt(place): its element, once it is shown; count(): how many places there are; page(): how many are seen at once;
   * reveal(place): bring it into sight; open(place), choose(place): what Enter and Space do.
   */
  constructor(grid, does) {
    Object.assign(this, { grid, ...does });
    grid.addEventListener("keydown", (event) => this.#key(event));
    grid.addEventListener("focusin", ({ target }) => this.#reached(target));
  }

  get within() {
    return this.grid.contains(document.activeElement);
  }

  /** Let Tab lead to where keys were last, or where that is out of sight to the first of what is seen. */
  mark(first) {
    const place = this.within || this.rowAt(this.place) ? this.place : first;
    const target = this.#target(place, this.column) ?? this.#target(-1, 0);
    if (this.marked === target) return;
    if (this.marked) this.marked.tabIndex = -1;
    this.marked = target;
    if (target) target.tabIndex = 0;
  }

  /** Go to the same column of another place. */
  go(place, column = this.column) {
    this.place = Math.max(-1, Math.min(place, this.count() - 1));
    this.reveal(this.place);
    const cells = this.#cells(this.place);
    this.column = Math.max(0, Math.min(column, cells.length - 1));
    const target = this.#target(this.place, this.column);
    if (!target) return;
    this.mark(this.place);
    target.focus({ preventScroll: true });
    target.closest(".cell").scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  #key(event) {
    const { key, ctrlKey, metaKey, altKey } = event;
    if (altKey || metaKey) return;
    const step = STEPS[key];
    if (step) this.go(this.place + step[0], this.column + step[1]);
    else if (key === "PageDown") this.go(Math.max(0, this.place) + this.page());
    else if (key === "PageUp") this.go(Math.max(0, this.place - this.page()));
    else if (key === "Home") this.go(ctrlKey ? 0 : this.place, 0);
    else if (key === "End") this.go(ctrlKey ? this.count() - 1 : this.place, Infinity);
    else if (key === "Enter" && this.place >= 0) this.open(this.place);
    else if (key === " " && this.place >= 0) this.choose(this.place);
    else return;
    event.preventDefault();
  }

  #reached(target) {
    const line = target.closest("[role=row]");
    if (!line) return;
    this.place = Number(line.ariaRowIndex) - 2;
    this.column = Math.max(0, this.#cells(this.place).indexOf(target.closest(".cell")));
    this.mark(this.place);
  }

  /** Those that are shown: some are not on a phone. */
  #cells(place) {
    return [...(this.rowAt(place)?.children ?? [])].filter((cell) => cell.offsetParent !== null);
  }

  #target(place, column) {
    const cell = this.#cells(place)[column];
    return cell && (cell.querySelector("a, button, input") ?? cell);
  }
}
