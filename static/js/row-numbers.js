// Rows by number: while Shift is held, each row of a list that leads somewhere shows its number, and Shift with the
// digits opens it. Twelve is 1 2; a number that could go on is opened when Shift is let go.
import { isTyping } from "./keys.js";

const ROWS = ".work :is(.list tbody tr, .found li, [role=row])";
const SHOWN_AFTER_MS = 250;
const MOST = 99;

let links = [];
let digits = "";
let timer = 0;

export function numberRows() {
  document.addEventListener("keydown", press);
  document.addEventListener("keyup", (event) => event.key === "Shift" && open());
  document.addEventListener("pointerdown", forget);
  document.addEventListener("wheel", forget, { passive: true });
  addEventListener("blur", forget);
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return forget();
  if (event.key === "Shift") return event.repeat ? undefined : hold();
  // By its place on the keyboard: with Shift its character is another one, and not everywhere the same.
  const digit = /^Digit(\d)$/.exec(event.code)?.[1];
  if (!event.shiftKey || digit === undefined || document.querySelector("dialog[open]")) return forget();
  if (!links.length) hold();
  event.preventDefault();
  digits += digit;
  mark();
  if (Number(digits) * 10 > links.length) open();
}

/** Shift alone, for a moment: who types "?" or marks text shall not see numbers flash. */
function hold() {
  forget();
  if (document.querySelector("dialog[open]")) return;
  links = linksInOrder();
  timer = setTimeout(show, SHOWN_AFTER_MS);
}

/** As they stand under each other: rows that are used again are not in the order of the document. */
function linksInOrder() {
  const found = [...document.querySelectorAll(ROWS)].map((row) => [row.querySelector("a[href]"), row]);
  const seen = found.filter(([link, row]) => link && isSeen(link, row)).map(([link]) => link);
  return seen.sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top).slice(0, MOST);
}

/** Of a live table only what is in sight: it has rows beyond, and under its head. */
function isSeen(link, row) {
  if (row.getAttribute("role") !== "row") return row.checkVisibility();
  const { x, y, height } = link.getBoundingClientRect();
  return link.contains(document.elementFromPoint(x + 2, y + height / 2));
}

function show() {
  links.forEach((link, place) => link.setAttribute("data-number", place + 1));
  mark();
}

/** Which ones the digits so far may still come to. */
function mark() {
  links.forEach((link, place) => link.toggleAttribute("data-other", !String(place + 1).startsWith(digits)));
}

function open() {
  const link = links[Number(digits) - 1];
  forget();
  link?.click();
}

function forget() {
  clearTimeout(timer);
  for (const link of links) {
    link.removeAttribute("data-number");
    link.removeAttribute("data-other");
  }
  [links, digits] = [[], ""];
}
