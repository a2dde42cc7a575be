// One service's page: the engine's figures, polled once a second (why not the socket: traffic/views.py, service_live).
import { poll } from "./poll.js";

const PAUSE_MS = 1000;
const MISSES = 4;

class ServiceFigures extends HTMLElement {
  connectedCallback() {
    this.missed = 0;
    this.rows = new Map([...this.querySelectorAll("tr[data-key]")].map((row) => [row.dataset.key, row]));
    poll(this.getAttribute("src"), PAUSE_MS, (answer) => this.take(answer));
  }

  take(answer) {
    this.missed = answer ? 0 : this.missed + 1;
    if (!answer && this.missed < MISSES) return;
    for (const name of ["rate", "p50", "p99", "age"]) {
      put(this.querySelector(`.readings [data-show="${name}"]`), answer ? answer[name] : "unknown");
    }
    const byKey = new Map((answer?.endpoints ?? []).map((endpoint) => [endpoint.key, endpoint]));
    for (const [key, row] of this.rows) showRow(row, byKey.get(key));
    // An endpoint that came or went changes the table itself: read the page again.
    if (answer && !same(byKey, this.rows) && answer.endpoints.length < 100) location.reload();
  }
}

function showRow(row, endpoint) {
  for (const cell of row.querySelectorAll("[data-show]")) put(cell, endpoint ? endpoint[cell.dataset.show] : "unknown");
  for (const span of row.querySelectorAll("[data-state]")) {
    const word = endpoint ? endpoint[span.dataset.state] : "unknown";
    if (span.textContent !== word) {
      span.textContent = word;
      span.className = `state ${/^[a-z]+$/.test(word) ? word : "unknown"}`;
    }
  }
  row.querySelector(".used").setAttribute("width", (endpoint?.share ?? 0) * 100);
  row.querySelector(".mark").setAttribute("x", (endpoint?.weight_share ?? 0) * 99.2);
}

function put(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}

function same(a, b) {
  return a.size === b.size && [...a.keys()].every((key) => b.has(key));
}

customElements.define("service-figures", ServiceFigures);
