// <cluster-map group="zone" colour="worst" data-hosts="/hosts/">: every host on one canvas, live.
// Only tiles whose bytes changed are drawn again, in the next animation frame.
import { BARS, STATES, ageText, feed, percent, share, worstByte } from "./live.js";
import { layout, neighbour } from "./map-layout.js";
import { RING, drawGroup, drawRing, drawTile, eraseRing } from "./map-tiles.js";
import { onRepaint, prepare } from "./palette.js";

const MOVES = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];
const BYTES = 9; // of one host that are drawn: used, reserved, state

class ClusterMap extends HTMLElement {
  connectedCallback() {
    this.canvas = element("canvas", { tabIndex: 0, role: "application", ariaRoleDescription: "map of hosts" });
    this.spoken = element("div", { className: "unseen", role: "status" });
    this.card = element("div", { className: "card", hidden: true });
    this.card.ariaHidden = "true"; // the live region says the same
    this.append(this.canvas, this.card, this.spoken);
    this.tiles = [];
    this.ahead = -1;
    this.form = document.getElementById("map-choice");
    this.form?.addEventListener("change", () => this.choose());
    this.form?.addEventListener("submit", (event) => event.preventDefault());
    feed.addEventListener("directory", () => this.arrange());
    feed.addEventListener("frame", () => this.soon());
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => this.unpoint());
    this.canvas.addEventListener("click", (event) => this.open(this.hit(event)));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("focus", () => this.move(Math.max(0, this.ahead)));
    this.canvas.addEventListener("blur", () => {
      this.unpoint();
      this.unring(this.ahead);
    });
    onRepaint(() => this.arrange());
    new ResizeObserver(() => this.arrange()).observe(this);
  }

  /** The choice goes into the URL, so that a view can be sent to somebody. */
  choose() {
    const { group, colour } = Object.fromEntries(new FormData(this.form));
    this.setAttribute("group", group);
    this.setAttribute("colour", colour);
    const url = new URL(location.href);
    for (const [key, value] of [["group", group], ["colour", colour]]) {
      url.searchParams.set(key, value);
    }
    history.replaceState(null, "", url);
    this.arrange();
  }

  /** Lay all tiles out again: the hosts, the width or the grouping changed. */
  arrange() {
    const width = this.clientWidth;
    if (!width || !feed.hosts.length) return;
    this.offer();
    this.bar = BARS.indexOf(this.getAttribute("colour"));
    const focused = this.tiles[this.ahead] ? this.names?.[this.tiles[this.ahead].row] : null;
    // A phone scrolls anyway: names are worth a second screen.
    const screens = width < 600 ? 2 : 1;
    const room = Math.max(420, window.innerHeight * screens - this.getBoundingClientRect().top - window.scrollY - 120);
    this.plan = layout(feed.hosts, this.getAttribute("group") ?? "", width, room);
    this.tiles = this.plan.tiles;
    this.names = feed.hosts.map((host) => host.name);
    if (focused) this.ahead = this.tiles.findIndex((tile) => this.names[tile.row] === focused);
    // The ring around a tile at the edge needs room outside of it.
    this.canvas.style.blockSize = `${this.plan.height + 2}px`;
    this.ctx = prepare(this.canvas, width, this.plan.height + 2);
    this.canvas.ariaLabel = `${feed.hosts.length} hosts. Arrow keys move, Enter opens the host.`;
    this.drawn = null;
    this.soon();
  }

  /** Every label that a host carries can be grouped by. */
  offer() {
    const select = this.form?.elements.group;
    if (!select) return;
    const known = new Set([...select.options].map((option) => option.value));
    for (const key of new Set(feed.hosts.flatMap((host) => Object.keys(host.labels)))) {
      if (!known.has(key)) select.add(new Option(key, key), select.options.length - 1);
    }
  }

  soon() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.draw();
    });
  }

  draw() {
    const { frame } = feed;
    if (!frame || !this.plan || frame.hosts !== this.tiles.length) return;
    const all = !this.drawn;
    this.drawn ??= new Uint8Array(BYTES * frame.hosts);
    const group = this.plan.groups.map(() => NaN);
    if (all) this.ctx.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const changed = [];
    this.tiles.forEach((tile, index) => {
      if (this.remember(tile.row, frame) || all) changed.push(index);
      const value = this.value(tile.row);
      if (!(value <= group[tile.group])) group[tile.group] = Number.isNaN(value) ? group[tile.group] : value;
    });
    this.plan.groups.forEach((each, number) => {
      const count = `${each.rows.length} ${each.rows.length === 1 ? "host" : "hosts"}`;
      drawGroup(this.ctx, each, `${count}, highest ${percent(group[number])}`);
    });
    for (const index of changed) this.drawOne(index);
    this.ring();
    if (!this.card.hidden) this.fill();
  }

  drawOne(index) {
    const tile = this.tiles[index];
    drawTile(this.ctx, tile, this.plan.level, this.names[tile.row], feed.at(tile.row), this.value(tile.row));
  }

  /** The ring lies over its tile's neighbours, so it is drawn after all tiles. */
  ring() {
    const tile = this.tiles[this.ahead];
    if (tile && document.activeElement === this.canvas) drawRing(this.ctx, tile);
  }

  unring(index) {
    const ringed = this.tiles[index];
    if (!ringed || !feed.frame) return;
    eraseRing(this.ctx, ringed);
    const near = (a, b, length) => a < b + length + RING && b < a + length + RING;
    this.tiles.forEach((tile, each) => {
      if (near(tile.x, ringed.x, tile.width) && near(tile.y, ringed.y, tile.height)) this.drawOne(each);
    });
  }

  /** True where a host's bytes differ from those that are drawn. */
  remember(row, { used, reserved, state }) {
    const { drawn } = this;
    const at = row * BYTES;
    let changed = drawn[at + 8] !== state[row];
    drawn[at + 8] = state[row];
    for (let bar = 0; bar < 4; bar += 1) {
      const [use, hold] = [used[row * 4 + bar], reserved[row * 4 + bar]];
      changed ||= drawn[at + bar] !== use || drawn[at + 4 + bar] !== hold;
      drawn[at + bar] = use;
      drawn[at + 4 + bar] = hold;
    }
    return changed;
  }

  /** The share that colours a host's tile; NaN = unknown. */
  value(row) {
    const { used, state } = feed.frame;
    if (state[row] & STATES.silent) return NaN;
    return share(this.bar < 0 ? worstByte(used, row) : used[row * 4 + this.bar]);
  }

  // -- pointing ------------------------------------------------------------------------------

  hit({ offsetX, offsetY }) {
    return this.tiles.findIndex(
      ({ x, y, width, height }) => offsetX >= x && offsetX < x + width && offsetY >= y && offsetY < y + height,
    );
  }

  point(event) {
    const index = this.hit(event);
    this.canvas.style.cursor = index < 0 ? "" : "pointer";
    if (index < 0) this.unpoint();
    else this.show(index);
  }

  unpoint() {
    this.card.hidden = true;
  }

  show(index) {
    this.shown = index;
    this.card.hidden = false;
    this.fill();
    const { x, y, height } = this.tiles[index];
    const left = Math.min(x, this.clientWidth - this.card.offsetWidth);
    const below = y + height + 8;
    this.card.style.transform = `translate(${Math.max(0, left)}px, ${below}px)`;
  }

  fill() {
    const tile = this.tiles[this.shown];
    if (!tile || !feed.frame) return;
    const host = feed.hosts[tile.row];
    const now = feed.at(tile.row);
    const rows = BARS.map((bar, each) => {
      const row = element("tr");
      row.append(
        element("th", { textContent: bar }),
        element("td", { textContent: percent(now.used[each]) }),
        element("td", { textContent: percent(now.reserved[each]) }),
      );
      return row;
    });
    const head = element("tr", { className: "faint" });
    head.append(element("th"), element("td", { textContent: "used" }), element("td", { textContent: "reserved" }));
    const table = element("table");
    table.append(head, ...rows);
    const labels = Object.entries(host.labels).map(([key, value]) => `${key}=${value}`);
    this.card.replaceChildren(
      element("strong", { textContent: host.name }),
      element("span", { className: `state ${now.words[0]}`, textContent: now.words.join(", ") }),
      table,
      element("div", { className: "faint", textContent: `${host.address}, report ${ageText(now.age)} old` }),
      element("div", { className: "faint", textContent: labels.join(" ") }),
    );
  }

  // -- keys ----------------------------------------------------------------------------------

  key(event) {
    if (event.key === "Enter") this.open(this.ahead);
    else if (event.key === "Escape") this.unpoint();
    else if (MOVES.includes(event.key) && this.tiles.length) {
      event.preventDefault();
      this.move(neighbour(this.tiles, Math.max(0, this.ahead), event.key));
    }
  }

  move(index) {
    this.unring(this.ahead);
    this.ahead = index;
    if (!feed.frame || !this.tiles[index]) return;
    this.ring();
    this.show(index);
    const tile = this.tiles[index];
    const now = feed.at(tile.row);
    const said = BARS.map((bar, each) => `${bar} ${percent(now.used[each])}`).join(", ");
    this.spoken.textContent = `${this.names[tile.row]}, ${this.plan.groups[tile.group].title}, ${now.words.join(" ")}: ${said}`;
    const { top } = this.canvas.getBoundingClientRect();
    if (top + tile.y < 60 || top + tile.y + tile.height > window.innerHeight) window.scrollBy(0, top + tile.y - window.innerHeight / 2);
  }

  open(index) {
    const tile = this.tiles[index];
    if (tile) location.assign(`${this.dataset.hosts}${encodeURIComponent(this.names[tile.row])}/`);
  }
}

function element(tag, properties = {}) {
  return Object.assign(document.createElement(tag), properties);
}

customElements.define("cluster-map", ClusterMap);
