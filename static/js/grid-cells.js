// The cells of the grid: one maker for each column, which returns what brings the cell up to date.
import { BARS, ageText, percent, stripText, worst } from "./live.js";
import { element } from "./map-card.js";
import { labelText } from "./grid-order.js";
import { prepare } from "./colours.js";
import { drawStrip } from "./strip.js";

const [STRIP_WIDTH, STRIP_HEIGHT] = [112, 24];
const MOST_LABELS = 12;
/** Least widths in pixels; what is left over goes to those that grow. */
const WIDTHS = { name: [160, 3], state: [112, 0], load: [144, 0], worst: [88, 0], address: [128, 0], labels: [200, 4], age: [104, 0] };
const SHARE = [112, 0];

export function widthOf(key) {
  return WIDTHS[key] ?? SHARE;
}

/** show(host, now): now as feed.at() says it; again: the colours changed. Writes to the page only what is new. */
export function makeCell(cell, key, path) {
  if (key === "name") return nameCell(cell, path);
  if (key === "state") return stateCell(cell);
  if (key === "load") return loadCell(cell);
  if (key === "labels") return labelsCell(cell);
  return textCell(cell, TEXTS[key] ?? shareText(key));
}

const TEXTS = {
  worst: (_, { used }) => percent(worst(used)),
  address: ({ address }) => address ?? "",
  age: (_, { age }) => ageText(age),
};

function shareText(key) {
  const [bar, reserved] = key.split("_");
  const each = BARS.indexOf(bar);
  return (_, now) => percent((reserved ? now.reserved : now.used)[each]);
}

function textCell(cell, textOf) {
  const text = document.createTextNode("");
  cell.append(text);
  return (host, now) => {
    const said = textOf(host, now);
    if (text.data !== said) text.data = said;
  };
}

function nameCell(cell, path) {
  const link = element("a", { tabIndex: -1 });
  cell.append(link);
  return ({ name }) => {
    if (link.textContent === name) return;
    link.textContent = name;
    link.title = name;
    link.href = path(name);
  };
}

function stateCell(cell) {
  let shown = "";
  return (_, { words }) => {
    const said = words.join(" ");
    if (shown === said) return;
    shown = said;
    cell.replaceChildren(...words.map((word) => element("span", { className: `state ${word}`, textContent: word })));
  };
}

function labelsCell(cell) {
  let shown = null;
  const box = element("div", { className: "labels" });
  cell.append(box);
  return (host) => {
    const said = labelText(host);
    if (shown === said) return;
    shown = said;
    cell.title = said;
    const texts = Object.entries(host.labels ?? {}).slice(0, MOST_LABELS);
    box.replaceChildren(...texts.map(([key, value]) => element("span", { className: "label", textContent: `${key}=${value}` })));
  };
}

function loadCell(cell) {
  const canvas = element("canvas", { ariaHidden: "true" });
  const text = element("span", { className: "unseen" });
  cell.append(canvas, text);
  let [shown, context] = ["", null];
  return (_, { used, reserved }, again) => {
    const said = [...used, ...reserved].join();
    if (shown === said && !again) return;
    shown = said;
    text.textContent = stripText(used, reserved);
    const box = { x: 0, y: 0, width: STRIP_WIDTH - 1, height: STRIP_HEIGHT };
    // A canvas that is sized anew is a new picture: only where the screen's density or the colours may be others.
    if (again || !context) context = prepare(canvas, STRIP_WIDTH, STRIP_HEIGHT);
    else context.clearRect(0, 0, STRIP_WIDTH, STRIP_HEIGHT);
    drawStrip(context, box, used, reserved);
  };
}
