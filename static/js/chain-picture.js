// The chain: its figures polled once a second by the open page alone, and arrow keys from card to card.
import { poll } from "./poll.js";

const PAUSE_MS = 1000;
const MISSES = 4;
const UNKNOWN = { detail: "unknown", rate: "unknown", errors: "unknown", p99: "unknown" };

class ChainPicture extends HTMLElement {
  connectedCallback() {
    this.missed = 0;
    this.cards = [...this.querySelectorAll(".chain [data-node]")];
    this.lines = [...this.querySelectorAll(".chain [data-edge]")];
    poll(this.getAttribute("src"), PAUSE_MS, (answer) => this.take(answer));
    const svg = this.querySelector(".chain svg");
    svg?.addEventListener("keydown", (event) => this.step(event));
    for (const card of this.cards) {
      card.addEventListener("pointerenter", () => this.look(card));
      card.addEventListener("focusin", () => this.look(card));
      card.addEventListener("pointerleave", () => this.look(null));
      card.addEventListener("focusout", () => this.look(null));
    }
  }

  take(answer) {
    this.missed = answer ? 0 : this.missed + 1;
    if (!answer && this.missed < MISSES) return;
    // Something came or went: the picture itself is another.
    if (answer && answer.structure !== this.getAttribute("structure")) {
      location.reload();
      return;
    }
    this.querySelector("[data-stale]").hidden = Boolean(answer?.fresh);
    put(this.querySelector('[data-show="verdict"]'), answer ? answer.verdict : "No answer from the console: what flows is unknown.");
    for (const place of this.querySelectorAll("[data-node]")) showNode(place, answer?.nodes[place.dataset.node]);
    for (const line of this.lines) showLine(line, answer?.edges[line.dataset.edge]);
    for (const text of this.querySelectorAll("[data-figure]")) put(text, answer?.edges[text.dataset.figure]?.text ?? "");
  }

  /** Dim what has nothing to do with a card. */
  look(card) {
    const svg = this.querySelector(".chain svg");
    svg.classList.toggle("looking", Boolean(card));
    const node = card?.dataset.node;
    // A name and its service belong together, and an engine, which is everybody's neighbour, stands between them.
    const kin = node?.replace(/^(name|service):/, (_, kind) => (kind === "name" ? "service:" : "name:"));
    const near = new Set([node]);
    for (const line of this.lines) {
      const ends = [line.dataset.source, line.dataset.target];
      const enters = line.classList.contains("listens") || line.classList.contains("serves");
      const touches = ends.includes(node) || (enters && kin !== node && ends.includes(kin));
      line.classList.toggle("near", touches);
      if (touches) ends.forEach((end) => near.add(end));
    }
    for (const each of this.cards) each.classList.toggle("near", near.has(each.dataset.node));
    const touching = new Set(this.lines.filter((line) => line.classList.contains("near")).map((line) => line.dataset.edge));
    for (const text of svg.querySelectorAll("[data-figure]")) text.classList.toggle("near", touching.has(text.dataset.figure));
  }

  /** Up and down within a column; right and left along the lines, to the nearest card where none leads there. */
  step(event) {
    const card = event.target.closest?.("[data-node]");
    const way = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (!card || !way) return;
    const [x, y] = place(card);
    const [right, down] = way;
    const ahead = this.cards.filter((each) => {
      const [itsX, itsY] = place(each);
      return right ? (itsX - x) * right > 0 : itsX === x && (itsY - y) * down > 0;
    });
    const linked = new Set(this.lines.flatMap(({ dataset: { source, target } }) =>
      source === card.dataset.node ? [target] : target === card.dataset.node ? [source] : []));
    const distance = (each) => {
      const [itsX, itsY] = place(each);
      return (right && !linked.has(each.dataset.node) ? 1e6 : 0) + Math.abs(itsX - x) * 10 + Math.abs(itsY - y);
    };
    const next = ahead.sort((a, b) => distance(a) - distance(b))[0];
    if (next) {
      next.querySelector("a").focus();
      event.preventDefault();
    }
  }
}

function showNode(place, node) {
  const shown = node ?? UNKNOWN;
  for (const cell of place.querySelectorAll("[data-show]")) {
    if (cell.closest("[data-part]")) continue;
    put(cell, shown[cell.dataset.show] ?? "");
    if (cell.dataset.show === "word") cell.classList.toggle("grave", Boolean(shown.grave));
  }
  const title = place.querySelector("a > title");
  if (title && node) put(title, `${title.textContent.split(": ")[0]}${node.sentence ? `: ${node.sentence}` : ""}`);
  for (const part of place.querySelectorAll("[data-part]")) {
    const its = node?.parts[Number(part.dataset.part)];
    put(part.querySelector(".rate"), its?.rate ?? "unknown");
    part.querySelector(".filled").setAttribute("width", its?.bar ?? 0);
    if (its && part.classList.contains("out") === its.serves) showShape(part, its.serves);
  }
}

/** A square serves, a cross does not. */
function showShape(part, serves) {
  part.classList.toggle("out", !serves);
  const shape = part.querySelector(".shape");
  const corner = /^M[\d.]+ [\d.-]+/.exec(shape.getAttribute("d"))[0];
  shape.setAttribute("d", corner + (serves ? "h6v6h-6z" : "l6 6m0-6l-6 6"));
}

function showLine(line, edge) {
  line.classList.toggle("flows", Boolean(edge?.flows));
  line.classList.toggle("fails", Boolean(edge?.fails));
  const width = String(edge?.width ?? 1.25);
  const way = line.querySelector(".way");
  if (way.getAttribute("stroke-width") !== width) way.setAttribute("stroke-width", width);
}

function place(card) {
  return [Number(card.getAttribute("x")), Number(card.getAttribute("y"))];
}

function put(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}

customElements.define("chain-picture", ChainPicture);
