// A service's weights: the figures follow the controller, and a change is tried before it is made.
import { poll } from "./poll.js";

const PAUSE_MS = 1000;
/** Of answers that did not come: then what stands there is the past. */
const MISSES = 3;
const TRY_AFTER_MS = 250;
const UNKNOWN = "unknown";

class WeightsLive extends HTMLElement {
  connectedCallback() {
    this.missed = 0;
    this.rows = new Map([...this.querySelectorAll("tr[data-key]")].map((row) => [row.dataset.key, row]));
    poll(this.getAttribute("src"), PAUSE_MS, (answer) => this.take(answer));
  }

  take(answer) {
    this.missed = answer ? 0 : this.missed + 1;
    if (!answer && this.missed < MISSES) return;
    const verdict = this.querySelector(".verdict");
    verdict.classList.toggle("refused", !answer || answer.stale);
    put(verdict, answer ? answer.sentence : "The console does not answer: no weight is known.");
    put(this.querySelector("[data-show=heard]"), answer ? answer.heard : "the console does not answer");
    const byKey = new Map((answer?.endpoints ?? []).map((endpoint) => [endpoint.key, endpoint]));
    for (const [key, row] of this.rows) showRow(row, byKey.get(key));
  }
}

function showRow(row, endpoint) {
  for (const cell of row.querySelectorAll("[data-show]")) put(cell, endpoint ? endpoint[cell.dataset.show] : UNKNOWN);
  const [got, asked] = endpoint?.shares ?? [0, 0];
  row.querySelector(".used").setAttribute("width", (got ?? 0) * 100);
  row.querySelector(".mark").setAttribute("x", (asked ?? 0) * 99.2);
  row.querySelectorAll("td.tick").forEach((cell, number) => {
    const [rule, verdict, words] = endpoint?.ticks[number] ?? ["", UNKNOWN, UNKNOWN];
    cell.className = `tick ${verdict}`;
    if (rule) cell.title = `${rule}: ${words}`;
    put(cell.firstElementChild, `${verdict}: ${words}`);
  });
}

/** The form: slider and number are one value, and what it would come to is asked of the server. */
class WeightsTry extends HTMLElement {
  connectedCallback() {
    this.asked = 0;
    this.rows = new Map([...this.querySelectorAll("tr[data-key]")].map((row) => [row.dataset.key, row]));
    this.addEventListener("input", ({ target }) => {
      const row = target.closest("tr[data-key], tr[data-band]");
      if (!row || target.value === "") return;
      const members = row.dataset.band ? JSON.parse(row.dataset.band).map((key) => this.rows.get(key)) : [];
      for (const each of [row, ...members]) {
        for (const input of each.querySelectorAll("[type=range], [type=number]")) if (input !== target) input.value = target.value;
      }
      clearTimeout(this.due);
      this.due = setTimeout(() => this.ask(), TRY_AFTER_MS);
    });
  }

  async ask() {
    const number = ++this.asked;
    const wanted = new URLSearchParams([...this.rows].map(([key, row]) => [key, row.querySelector("[type=number]").value]));
    let answer = null;
    try {
      const response = await fetch(`${this.getAttribute("src")}?${wanted}`, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(8000) });
      if (response.ok && !response.redirected) answer = await response.json();
    } catch {
      answer = null; // said below: what is not known is not shown
    }
    if (number === this.asked) this.take(answer);
  }

  take(answer) {
    const byKey = new Map((answer?.endpoints ?? []).map((endpoint) => [endpoint.key, endpoint]));
    for (const [key, row] of this.rows) {
      for (const cell of row.querySelectorAll("[data-show]")) put(cell, byKey.get(key)?.[cell.dataset.show] ?? UNKNOWN);
    }
    const objections = answer ? answer.objections : ["What it would come to is not known: no answer came."];
    const lines = objections.map((text) => line("warn", text));
    if (!objections.length) lines.push(line("note", "Nothing speaks against it."));
    for (const text of answer?.notes ?? []) lines.push(line("note", text));
    this.querySelector(".outcome").replaceChildren(...lines);
  }
}

function line(kind, text) {
  const made = document.createElement("p");
  made.className = kind;
  made.textContent = text;
  return made;
}

function put(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}

customElements.define("weights-live", WeightsLive);
customElements.define("weights-try", WeightsTry);
