// A host's single disks and cards: each mount as a bar, each disk and card as a line since the page was opened.
import { poll } from "./poll.js";

const PAUSE_MS = 2000;
const MISSES = 3;
/** Points of a line: five minutes of them. */
const POINTS = 150;
const SVG = "http://www.w3.org/2000/svg";

class HostParts extends HTMLElement {
  connectedCallback() {
    this.missed = 0;
    this.flows = new Map();
    poll(this.getAttribute("src"), PAUSE_MS, (answer) => this.take(answer));
  }

  take(answer) {
    this.missed = answer ? 0 : this.missed + 1;
    if (!answer && this.missed < MISSES) return;
    const parts = answer?.parts ?? null;
    this.querySelector("[data-none]").hidden = parts !== null;
    this.querySelector("[data-some]").hidden = parts === null;
    if (!parts) return;
    for (const list of this.querySelectorAll("[data-kind]")) {
      const { kind } = list.dataset;
      list.replaceChildren(...parts[kind].map((part) => (kind === "mounts" ? mount(part) : this.flow(kind, part))));
    }
  }

  flow(kind, { name, words, flow }) {
    const key = `${kind} ${name}`;
    const points = [...(this.flows.get(key) ?? []), flow].slice(-POINTS);
    this.flows.set(key, points);
    const item = entry(name, words);
    const top = Math.max(1, ...points.flat());
    const picture = svg("svg", { class: "flows", viewBox: `0 0 ${POINTS - 1} 24`, preserveAspectRatio: "none", "aria-hidden": "true" });
    for (const side of [0, 1]) {
      const line = points.map((point, at) => `${POINTS - points.length + at},${(23 - (point[side] / top) * 22).toFixed(1)}`);
      picture.append(svg("polyline", { class: side ? "out" : "in", points: line.join(" ") }));
    }
    item.insertBefore(picture, item.lastChild);
    return item;
  }
}

function mount({ name, words, share, full }) {
  const item = entry(name, words);
  const bar = svg("svg", { class: "share", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" });
  bar.append(svg("rect", { class: "used", height: 8, width: Math.min(1, share) * 100 }));
  if (full) {
    const word = document.createElement("span");
    word.className = "state refused";
    word.textContent = "full";
    item.className = "full";
    item.insertBefore(word, item.lastChild);
    item.insertBefore(document.createTextNode(" "), word);
  }
  item.insertBefore(bar, item.lastChild);
  return item;
}

function entry(name, words) {
  const item = document.createElement("li");
  for (const [tag, text] of [["b", name], ["span", words]]) {
    const made = document.createElement(tag);
    made.textContent = text;
    item.append(made);
  }
  return item;
}

function svg(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

customElements.define("host-parts", HostParts);
