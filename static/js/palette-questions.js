// Asking the search while somebody types: shortly after the last key, and only the answer to the last question is heard.

const SETTLED_MS = 60;
const AGAIN_MS = 2000;
const TIMEOUT_MS = 4000;

export class Questions {
  /** hear(text, results, trouble): what was found, or null and why nothing is known. */
  constructor(address, hear) {
    Object.assign(this, { address, hear });
    this.asked = null;
  }

  /** Ask after a pause in milliseconds. What was asked before is not heard any more. */
  ask(text, pause = SETTLED_MS) {
    this.stop();
    this.timer = setTimeout(() => this.#send(text), pause);
  }

  stop() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.asked = null;
  }

  async #send(text) {
    const asked = new AbortController();
    this.asked = asked;
    const signal = AbortSignal.any([asked.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const [results, trouble, again] = await answerOf(`${this.address}?${new URLSearchParams({ q: text, typing: true })}`, signal);
    if (this.asked !== asked) return;
    this.hear(text, results, trouble);
    if (again && this.asked === asked) this.ask(text, AGAIN_MS);
  }
}

/** [results or null, trouble in words, whether it is worth asking again]. */
async function answerOf(url, signal) {
  try {
    const response = await fetch(url, { headers: { Accept: "application/json" }, signal });
    if (response.ok) return [(await response.json()).results, "", false];
    if ([401, 403].includes(response.status)) return [null, "Logged out: reload the page.", false];
    return [null, `The search failed (${response.status}). It is asked again.`, true];
  } catch {
    return [null, "No connection. The search is asked again.", true];
  }
}
