// The strip at the foot: what is under way, as the server rendered it for this role. A line that did not change stays
// as it is, so that focus and a question that was begun stay too.
import { feed } from "./live.js";

const ASKED_MS = 4000;
const list = document.getElementById("underway");

feed.addEventListener("underway", ({ detail }) => {
  const fresh = document.createElement("template");
  fresh.innerHTML = detail;
  const known = new Map([...list.children].map((line) => [line.dataset.key, line]));
  const lines = [...fresh.content.children].map((line) => {
    line.source = line.outerHTML;
    const old = known.get(line.dataset.key);
    return old?.source === line.source ? old : line;
  });
  list.replaceChildren(...lines);
});

// Ending takes two steps: the first asks, the second does it. What comes of it is told by the strip itself.
list?.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-ends]");
  if (!button) return;
  if (!button.dataset.asked) {
    const said = button.innerHTML;
    button.dataset.asked = "yes";
    button.textContent = `Really? ${button.textContent}`;
    setTimeout(() => {
      delete button.dataset.asked;
      button.innerHTML = said;
    }, ASKED_MS);
    return;
  }
  button.disabled = true;
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
  const headers = { "X-CSRFToken": token, "Content-Type": "application/json" };
  try {
    const answer = await fetch(`/api/v1/${button.dataset.ends}`, { method: "POST", headers, body: "{}" });
    if (!answer.ok) button.textContent = `Not done: ${(await answer.json()).detail ?? answer.status}`;
  } catch {
    button.textContent = "Not done: no connection";
  }
  button.disabled = false;
});
