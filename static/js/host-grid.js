// <host-grid data-live data-hosts="/hosts/" data-columns='[{"key", "title", "number", "wide", "hint"}]' data-most="1000">:
// all hosts in one live table, in place of the page of fifty that the server draws and that stays where this cannot be.
import { feed } from "./live.js";
import { widthOf } from "./grid-cells.js";
import { Choice } from "./grid-choice.js";
import { Head } from "./grid-head.js";
import { Keys } from "./grid-keys.js";
import { Order } from "./grid-order.js";
import { Rows } from "./grid-rows.js";
import { offerLabels, readView, tellPage, writeView } from "./grid-view.js";
import { element } from "./map-card.js";
import { onRepaint } from "./colours.js";

/** Rows drawn beyond what is seen, so that scrolling meets no empty ones. */
const BEYOND = 4;
const TICK_PX = 40;

class HostGrid extends HTMLElement {
  connectedCallback() {
    if (!("live" in this.dataset)) return;
    this.order = new Order();
    this.view = readView();
    this.columns = JSON.parse(this.dataset.columns);
    this.form = document.getElementById("host-filters");
    if (this.dataset.most) {
      this.choice = new Choice(document.getElementById("bulk"), Number(this.dataset.most), () => this.soon());
    }
    this.#build();
    this.#listen();
    if (feed.hosts.length) this.meet();
  }

  #build() {
    const all = this.choice ? (on) => this.choice.set(this.names(), on) : null;
    this.head = new Head(this.columns, (sort) => this.ask({ ...this.view, sort }, true), all);
    this.body = element("div", { role: "rowgroup", className: "rows" });
    this.grid = element("div", { role: "grid", ariaLabel: "Hosts", className: "grid" });
    this.grid.append(this.head.element, this.body);
    this.scroller = element("div", { className: "scroller" });
    this.scroller.append(this.grid);
    this.count = element("p", { className: "note count" });
    this.spoken = element("p", { className: "unseen", role: "status" });
    this.none = element("p", { className: "none", textContent: "No host is like that." });
    this.panel = element("div", { className: "panel live-grid", hidden: true });
    this.panel.append(this.count, this.scroller, this.none, this.spoken);
    this.rows = new Rows(this.body, this.columns, (name) => this.path(name), this.choice);
    this.keys = new Keys(this.grid, {
      rowAt: (place) => (place < 0 ? this.head.row : this.rows.at(place)?.element),
      count: () => this.order.rows.length,
      page: () => Math.max(1, this.#seen() - 1),
      reveal: (place) => this.reveal(place),
      open: (place) => location.assign(this.path(this.nameAt(place))),
      choose: (place) => this.choice?.set([this.nameAt(place)], !this.choice.has(this.nameAt(place))),
    });
    this.keys.column = this.choice ? 1 : 0;
    this.#lay("--tracks", this.columns);
    this.#lay("--tracks-narrow", this.columns.filter(({ wide }) => !wide));
    this.append(this.panel);
  }

  #lay(name, columns) {
    const widths = [...(this.choice ? [[TICK_PX, 0]] : []), ...columns.map(({ key }) => widthOf(key))];
    const tracks = widths.map(([px, grow]) => (grow ? `minmax(${px}px, ${grow}fr)` : `${px}px`));
    this.grid.style.setProperty(name, tracks.join(" "));
    this.grid.style.setProperty(`${name}-sum`, `${widths.reduce((sum, [px]) => sum + px, 0)}px`);
  }

  #listen() {
    feed.addEventListener("directory", () => this.meet());
    feed.addEventListener("frame", () => this.soon(true));
    this.scroller.addEventListener("scroll", () => this.soon(), { passive: true });
    new ResizeObserver(() => this.soon()).observe(this.scroller);
    onRepaint(() => this.soon(false, true));
    // Nothing slips away under a hand: while somebody points at a row or stands on one, its figures go on, its place stays.
    this.body.addEventListener("pointerenter", ({ pointerType }) => (this.pointed = pointerType === "mouse"));
    this.body.addEventListener("pointerleave", () => this.#release());
    this.body.addEventListener("focusout", () => this.soon(true));
    this.body.addEventListener("change", ({ target }) => target.name === "on" && this.choice.set([target.value], target.checked));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask(this.#asked(), true);
    });
    // What is typed into a field at one go is one step back.
    this.form.addEventListener("input", ({ target }) => {
      this.offer();
      this.ask(this.#asked(), target !== this.typed || target instanceof HTMLSelectElement);
      this.typed = target;
    });
    this.form.addEventListener("focusout", () => (this.typed = null));
    addEventListener("popstate", () => this.follow(readView()));
  }

  offer() {
    offerLabels(document.getElementById("labels"), feed.hosts, this.form.elements.label.value);
  }

  #asked() {
    const { q, label, state } = this.form.elements;
    return { ...this.view, q: q.value.trim(), label: label.value.trim(), state: state.value };
  }

  #release() {
    this.pointed = false;
    this.soon(true);
  }

  get held() {
    return this.pointed || this.body.contains(document.activeElement);
  }

  // -- what is shown -------------------------------------------------------------------------

  /** Other hosts than before. */
  meet() {
    this.order.meet(feed.hosts);
    this.offer();
    this.follow(this.view);
  }

  /** Another view, chosen here. push: a step that the back button takes back. */
  ask(view, push) {
    writeView(view, push);
    this.follow(view);
  }

  follow(view) {
    const here = this.keys.within && this.keys.place >= 0 ? this.nameAt(this.keys.place) : "";
    const moved = this.view !== view;
    this.view = view;
    this.order.narrow(view);
    this.head.show(view.sort);
    tellPage(view, this.form);
    if (!feed.frame) return;
    this.order.arrange(feed.frame, view.sort);
    if (moved) {
      this.scroller.scrollTop = 0;
      this.spoken.textContent = `${this.order.rows.length} of ${feed.hosts.length} hosts`;
    }
    this.draw();
    if (here) this.keys.go(Math.max(0, this.order.rows.indexOf(feed.rows.get(here) ?? -1)));
  }

  /** Draw with the next animation frame. reorder: the figures changed; again: the colours did. */
  soon(reorder = false, again = false) {
    this.reorder ||= reorder;
    this.again ||= again;
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      if (!feed.frame || feed.frame.hosts !== this.order.hosts.length) return;
      if (this.panel.hidden || (this.reorder && !this.held)) this.order.arrange(feed.frame, this.view.sort);
      this.draw();
    });
  }

  draw() {
    // Without hosts the page that the server drew says more: it knows who was there.
    if (this.panel.hidden && !feed.hosts.length) return;
    if (this.panel.hidden) this.#begin();
    const { rows } = this.order;
    const height = this.rowHeight;
    this.body.style.blockSize = `${rows.length * height}px`;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / height) - BEYOND);
    const end = Math.min(rows.length, first + this.#seen() + 2 * BEYOND);
    const focus = this.keys.within && this.keys.place < rows.length ? this.keys.place : -1;
    this.rows.show(first, end, focus, height, (place) => [feed.hosts[rows[place]], feed.at(rows[place])], this.again);
    [this.reorder, this.again] = [false, false];
    this.keys.mark(Math.min(first + BEYOND, rows.length - 1));
    this.#tell(rows.length);
    this.dispatchEvent(new Event("painted"));
  }

  /** The page that the server drew has done its part. */
  #begin() {
    this.replaceChildren(this.panel);
    this.panel.hidden = false;
    this.rowHeight = parseFloat(getComputedStyle(this).getPropertyValue("--row"));
  }

  #tell(count) {
    this.none.hidden = count > 0;
    const rowCount = String(count + 1);
    if (this.grid.ariaRowCount !== rowCount) this.grid.ariaRowCount = rowCount;
    const said = `${count.toLocaleString("en")} of ${feed.hosts.length.toLocaleString("en")} hosts${this.held ? "; their order waits while you are on a row" : ""}`;
    if (this.count.textContent !== said) this.count.textContent = said;
    document.getElementById("clear").hidden = !(this.view.q || this.view.label || this.view.state);
    if (!this.choice) return;
    const chosen = this.choice.size ? this.names().filter((name) => this.choice.has(name)).length : 0;
    this.head.tell(chosen, count);
    this.choice.tell(chosen);
  }

  // -- places --------------------------------------------------------------------------------

  #seen() {
    return Math.ceil(this.scroller.clientHeight / this.rowHeight);
  }

  reveal(place) {
    const { scroller, rowHeight } = this;
    const head = this.head.element.offsetHeight;
    const top = place * rowHeight;
    if (place <= 0) scroller.scrollTop = 0;
    else if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + rowHeight > scroller.scrollTop + scroller.clientHeight - head) {
      scroller.scrollTop = top + rowHeight - scroller.clientHeight + head;
    }
    this.keys.place = place;
    this.draw();
  }

  names() {
    return Array.from(this.order.rows, (row) => feed.hosts[row].name);
  }

  nameAt(place) {
    return feed.hosts[this.order.rows[place]]?.name ?? "";
  }

  path(name) {
    return `${this.dataset.hosts}${encodeURIComponent(name)}/`;
  }
}

customElements.define("host-grid", HostGrid);
