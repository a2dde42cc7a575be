// <cluster-map group="zone" colour="worst" size="" data-hosts="/hosts/">: every host on one canvas, live.
import { BARS, feed, percent } from "./live.js";
import { Card, alike, element } from "./map-card.js";
import { Choice, keep, kept } from "./map-choice.js";
import { groupsOf, inOrder, moves } from "./map-groups.js";
import { layout, neighbour, slotAt } from "./map-layout.js";
import { Legend } from "./map-legend.js";
import { Overlay } from "./map-overlay.js";
import { Painter } from "./map-painter.js";
import { download, pictureOf, vectorOf } from "./map-picture.js";
import { onRepaint, prepare } from "./colours.js";

const MOVES = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];
/** Hosts that go from group to group do so all together, no more often than the eye can follow. */
const REGROUP_MS = 5000;

class ClusterMap extends HTMLElement {
  connectedCallback() {
    this.canvas = element("canvas", { tabIndex: 0, role: "application", ariaRoleDescription: "map of hosts" });
    this.spoken = element("div", { className: "unseen", role: "status" });
    this.overlay = new Overlay();
    this.card = new Card();
    this.append(this.canvas, this.overlay.canvas, this.card.box, this.spoken);
    this.choice = new Choice(document.getElementById("map-choice"), { ...attributesOf(this) }, () => this.arrange());
    this.legend = new Legend(document.getElementById("map-legend"));
    // Slots that keys have reached and that is pointed at; the chosen host by name, because slots change.
    [this.ahead, this.pointed] = [-1, -1];
    [this.chosen, this.shared] = [kept("host") ?? "", null];
    feed.addEventListener("directory", () => this.meet());
    feed.addEventListener("frame", () => this.take());
    this.canvas.addEventListener("pointermove", (event) => this.point(slotAt(this.plan, event.offsetX, event.offsetY)));
    this.canvas.addEventListener("pointerleave", () => this.point(-1));
    this.canvas.addEventListener("click", (event) => this.choose(slotAt(this.plan, event.offsetX, event.offsetY)));
    this.canvas.addEventListener("dblclick", () => this.open(this.slotOf(this.chosen)));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("focus", () => this.canvas.matches(":focus-visible") && this.move(Math.max(0, this.ahead)));
    this.canvas.addEventListener("blur", () => this.above());
    document.getElementById("map-picture")?.addEventListener("click", () => this.picture("png"));
    document.getElementById("map-vector")?.addEventListener("click", () => this.picture("svg"));
    onRepaint(() => this.arrange());
    new ResizeObserver(() => this.arrange()).observe(this);
    if (feed.hosts.length) this.meet();
  }

  /** Other hosts than before. */
  meet() {
    this.names = feed.hosts.map(({ name }) => name);
    this.order = inOrder(feed.hosts);
    this.choice.offer(feed.hosts);
    this.arrange();
  }

  /** Lay all tiles out again: the hosts, the width, the colours or what is shown changed. */
  arrange() {
    const width = this.clientWidth;
    const { choice } = this;
    if (!width || !this.names?.length || (moves(choice.group) && !feed.frame)) return;
    const focused = this.plan ? this.nameAt(this.ahead) : "";
    // A phone scrolls anyway: names are worth a second screen.
    const screens = width < 600 ? 2 : 1;
    const room = Math.max(420, window.innerHeight * screens - this.getBoundingClientRect().top - window.scrollY - 120);
    const colour = choice.colourOf(feed.hosts);
    const size = choice.sizeOf(feed.hosts);
    this.plan = layout(groupsOf(feed.hosts, this.order, choice.group, feed.frame), width, room, size !== null);
    this.arrangedAt = performance.now();
    // The ring around a tile at the edge needs room outside of it.
    const height = this.plan.height + 3;
    this.canvas.style.blockSize = `${height}px`;
    this.painter = new Painter(prepare(this.canvas, width, height), this.plan, this.names, colour, size);
    this.overlay.fit(width, height);
    this.ahead = this.slotOf(focused);
    this.canvas.ariaLabel = `${this.names.length} hosts. Arrow keys move, Space shows who carries the same, Enter opens the host.`;
    this.legend.show(colour, size);
    this.painter.mark(null);
    if (feed.frame) this.draw(true);
  }

  /** A frame came. */
  take() {
    if (this.painter?.plan.hosts !== feed.frame.hosts) return this.arrange();
    if (moves(this.choice.group) && performance.now() - this.arrangedAt > REGROUP_MS) return this.arrange();
    const { colour, size } = this.painter;
    // Ages grow without a word from the host.
    const all = colour.name === "age" || size?.name === "age";
    this.painter.mark(all ? null : feed.changed);
    if (this.painter.painted) this.soon();
    else this.draw(true); // half a map would be no map
  }

  soon() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.draw(false);
    });
  }

  draw(whole) {
    if (!feed.frame || feed.frame.hosts !== this.plan.hosts) return;
    if (this.painter.paint(feed.frame, whole)) return this.soon();
    this.dispatchEvent(new Event("painted"));
    if (whole) this.above();
    if (whole && this.chosen && !this.shared) this.learn();
    this.say();
  }

  /** What lies above the tiles. */
  above() {
    if (this.plan) this.overlay.draw(this.plan, ...this.marks());
  }

  /** The slot that keys have reached, the chosen one, and those of its siblings; -1 for none. */
  marks() {
    const focused = this.canvas.matches(":focus-visible") ? this.ahead : -1;
    const names = new Set((this.shared ?? []).flatMap(({ hosts }) => hosts));
    const siblings = [...names].map((name) => this.slotOf(name)).filter((slot) => slot >= 0);
    return [focused, this.slotOf(this.chosen), siblings];
  }

  nameAt(slot) {
    return slot < 0 ? "" : this.names[this.plan.row[slot]];
  }

  slotOf(name) {
    const row = feed.rows.get(name);
    return row === undefined ? -1 : this.plan.slot[row];
  }

  // -- pointing and choosing -----------------------------------------------------------------

  point(slot) {
    this.canvas.style.cursor = slot < 0 ? "" : "pointer";
    if (this.pointed === slot) return;
    this.pointed = slot;
    this.say();
  }

  /** The card is of what is pointed at, else of the chosen host, else of the one that keys have reached. */
  say() {
    const chosen = this.slotOf(this.chosen);
    const focused = this.canvas.matches(":focus-visible") ? this.ahead : -1;
    const slot = [this.pointed, chosen, focused].find((each) => each >= 0) ?? -1;
    if (slot < 0 || !feed.frame) return this.card.hide();
    const row = this.plan.row[slot];
    this.card.show(feed.hosts[row], feed.at(row), slot === chosen ? this.shared : null, this.path(slot));
    this.card.put(this.plan, slot, this.clientWidth, this.getBoundingClientRect().top);
  }

  choose(slot) {
    const name = slot < 0 || this.nameAt(slot) === this.chosen ? "" : this.nameAt(slot);
    [this.chosen, this.shared] = [name, null];
    keep("host", name || null);
    if (name) this.ahead = slot;
    this.above();
    this.say();
    if (name) this.learn();
  }

  /** Who carries the same as the chosen host. */
  async learn() {
    const name = this.chosen;
    const answer = await fetch(`${this.dataset.hosts}${encodeURIComponent(name)}/siblings/`).catch(() => null);
    if (this.chosen !== name) return;
    if (!answer?.ok) {
      this.spoken.textContent = answer ? `Nothing is known of ${name}.` : `What ${name} carries could not be asked.`;
      return;
    }
    const { shared } = await answer.json();
    if (this.chosen !== name) return;
    this.shared = shared;
    this.above();
    this.say();
    const said = shared.map(({ kind, name: what, hosts, more }) => `${kind} ${what} ${alike(hosts.length + more)}`);
    this.spoken.textContent = said.length ? `${name} carries ${said.join(", ")}.` : `${name} carries nothing at present.`;
  }

  // -- keys ----------------------------------------------------------------------------------

  key(event) {
    const { key } = event;
    if (key === "Enter") this.open(this.ahead);
    else if (key === "Escape") this.choose(-1);
    else if (key === " ") this.choose(this.ahead);
    else if (MOVES.includes(key) && this.plan) this.move(neighbour(this.plan, Math.max(0, this.ahead), key));
    else return;
    event.preventDefault();
  }

  move(slot) {
    if (!feed.frame || !this.plan) return;
    this.ahead = slot;
    this.above();
    this.say();
    const row = this.plan.row[slot];
    const now = feed.at(row);
    const figures = BARS.map((bar, each) => `${bar} ${percent(now.used[each])}`).join(", ");
    const group = this.plan.groups[this.plan.group[row]].title;
    this.spoken.textContent = `${this.names[row]}, ${group}, ${now.words.join(" ")}: ${figures}`;
    const top = this.canvas.getBoundingClientRect().top + this.plan.y[slot];
    if (top < 60 || top + this.plan.tileHeight > window.innerHeight) window.scrollBy(0, top - window.innerHeight / 2);
  }

  path(slot) {
    return `${this.dataset.hosts}${encodeURIComponent(this.nameAt(slot))}/`;
  }

  open(slot) {
    if (slot >= 0) location.assign(this.path(slot));
  }

  /** form: png or svg. */
  async picture(form) {
    if (!this.painter || !feed.frame) return;
    const at = new Date().toISOString().slice(0, 19);
    const { group, colour, size } = this.choice;
    const shown = [group && `grouped by ${group}`, `coloured by ${colour}`, size && `sized by ${size}`].filter(Boolean).join(", ");
    const words = {
      title: `${location.host}, ${at.replace("T", " ")} UTC`,
      detail: `${this.names.length} hosts ${shown}; the lower part of a tile is what is reserved`,
      legend: this.legend.entries,
    };
    const blob =
      form === "svg"
        ? vectorOf(this.painter, feed.frame, this.clientWidth, this.marks(), words)
        : await pictureOf([this.canvas, this.overlay.canvas], words);
    download(blob, `map-${at.replaceAll(":", "-")}.${form}`);
  }
}

function attributesOf(map) {
  return { group: map.getAttribute("group") ?? "", colour: map.getAttribute("colour") || "worst", size: map.getAttribute("size") ?? "" };
}

customElements.define("cluster-map", ClusterMap);
