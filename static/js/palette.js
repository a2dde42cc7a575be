// The palette: everything that has a name and everything that can be done, found while typing, over whatever page is
// there. It leads to where things are done and does nothing itself; without scripts the box leads to the page of results.
import { feed, stripText } from "./live.js";
import { Questions } from "./palette-questions.js";

const dialog = document.getElementById("palette");
const input = dialog?.querySelector("[role=combobox]");
const list = dialog?.querySelector("[role=listbox]");
const said = dialog?.querySelector("[role=status]");
/** Kinds that are not remembered as opened. */
const NO_THINGS = ["action", "list"];

let options = [];
let active = -1;
/** The text that the list answers, null while it answers none. */
let answered = null;
const questions = new Questions("/api/v1/search/", hear);

/** Ctrl+K, and the box at the top of the page, open it with that text. */
export function listenForPalette() {
  if (!dialog) return;
  const box = document.getElementById("search");
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || event.ctrlKey === event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    openPalette();
  });
  box.addEventListener("click", () => openPalette(box.value));
  input.addEventListener("input", () => {
    answered = null;
    questions.ask(input.value);
  });
  input.addEventListener("keydown", press);
  // The text keeps the focus; what is pointed at is followed as any link.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", follow);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    questions.stop();
    show([]);
  });
}

export function openPalette(text = "") {
  if (dialog.open) return input.select();
  said.textContent = "";
  answered = null;
  input.value = text;
  dialog.showModal();
  input.select();
  questions.ask(text, 0);
}

function hear(text, results, trouble) {
  answered = results ? text : null;
  show(results ?? [], text.trim() === "");
  said.textContent = trouble || summary(text.trim(), results.length);
}

function summary(text, count) {
  if (count) return text ? `${count} found` : "";
  return text ? `Nothing is like “${text}”.` : "A name, an address, a label, an identity, or what is to be done: “drain web-1”.";
}

/** Fill the list, kind by kind as they come. recent: all of them are what was opened last. */
function show(results, recent) {
  const groups = Map.groupBy(results, ({ kind }) => (recent ? "Opened last" : headingOf(kind)));
  options = [];
  list.replaceChildren(...[...groups].map(([heading, members], number) => groupOf(heading, members, number)));
  list.hidden = options.length === 0;
  input.ariaExpanded = String(options.length > 0);
  for (const strip of list.querySelectorAll("load-strip")) strip.handleEvent();
  choose(options.length && !recent ? 0 : -1);
}

function groupOf(heading, members, number) {
  const title = made("div", { id: `palette-kind-${number}`, className: "kind", textContent: heading });
  const group = made("div", { role: "group" }, title, ...members.map(optionOf));
  group.setAttribute("aria-labelledby", title.id);
  return group;
}

function optionOf(result) {
  const { kind, title, detail, path, why_not: whyNot } = result;
  const option = made("a", { id: `palette-${options.length}`, role: "option", tabIndex: -1, ariaSelected: "false" });
  if (whyNot) option.ariaDisabled = "true";
  else option.href = path;
  option.append(made("span", { className: "title", textContent: title }), " ");
  option.append(made("span", { className: whyNot ? "why-not" : "note", textContent: whyNot || detail }));
  if (kind === "host") option.append(stripOf(title));
  options.push(Object.assign(option, { result }));
  return option;
}

function stripOf(host) {
  const now = feed.host(host);
  const strip = made("load-strip", {}, made("span", { textContent: now ? stripText(now.used, now.reserved) : "" }));
  strip.setAttribute("host", host);
  return strip;
}

function headingOf(kind) {
  const name = kind.replaceAll("-", " ");
  return `${name[0].toUpperCase()}${name.slice(1)}s`;
}

function made(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function choose(place) {
  options[active]?.setAttribute("aria-selected", "false");
  active = place;
  const chosen = options[active];
  if (!chosen) return input.removeAttribute("aria-activedescendant");
  chosen.ariaSelected = "true";
  input.setAttribute("aria-activedescendant", chosen.id);
  chosen.scrollIntoView({ block: "nearest" });
}

/** Enter opens what is chosen of the answer to this text; before it is there, the form leads to the page of results. */
function press(event) {
  if (event.isComposing) return;
  const { key } = event;
  const step = { ArrowDown: 1, ArrowUp: -1 }[key];
  if (step && options.length) choose((Math.max(active, step < 0 ? 0 : -1) + step + options.length) % options.length);
  else if (key === "Enter" && active >= 0 && answered === input.value) options[active].click();
  else return;
  event.preventDefault();
}

function follow(event) {
  const option = event.target.closest("[role=option]");
  if (!option) return;
  const { kind, key, title, why_not: whyNot } = option.result;
  if (whyNot) {
    said.textContent = `${title}: ${whyNot}`;
    return;
  }
  if (!NO_THINGS.includes(kind)) remember(kind, key);
  if (!event.ctrlKey && !event.metaKey && !event.shiftKey) dialog.close();
}

/** What is opened goes in front of the recent things. The page may be gone before the answer comes, which nobody needs. */
function remember(kind, key) {
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  const headers = { "X-CSRFToken": token, "Content-Type": "application/json" };
  const told = fetch("/api/v1/search/opened/", { method: "POST", headers, body: JSON.stringify({ kind, key }), keepalive: true });
  told.catch(() => {}); // the link leads there all the same
}
