// Asking the search while somebody types: shortly after the last key, and only the answer to the last question is heard.

const SETTLED_MS = 60;
const AGAIN_MS = 2000;
const TIMEOUT_MS = 4000;
/** An answer from an index that was read before this was typed may lack what was just made: it is asked for again, until
    one comes that was read since. An index is read anew two seconds after the last time. */
const FRESHER_MS = 600;
const MOST_FRESHER = 5;

export class Questions {
  /** hear(text, results, trouble): what was found, or null and why nothing is known. */
  constructor(address, hear) {
    Object.assign(this, { address, hear });
    this.asked = null;
  }

  /** Ask after a pause in milliseconds. What was asked before is not heard any more. */
  ask(text, pause = SETTLED_MS) {
    this.stop();
    const typed = performance.now();
    this.timer = setTimeout(() => this.#send(text, typed, MOST_FRESHER, ""), pause);
  }

  stop() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.asked = null;
  }

  /** typed: when. fresher: how often to ask again where the answer is old. known: the results that were heard already, as
      JSON. */
  async #send(text, typed, fresher, known) {
    const asked = new AbortController();
    this.asked = asked;
    const signal = AbortSignal.any([asked.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const { results, trouble, failed, readMs } = await answerOf(`${this.address}?${new URLSearchParams({ q: text, typing: true })}`, signal);
    if (this.asked !== asked) return;
    const said = JSON.stringify(results);
    if (said !== known) this.hear(text, results, trouble);
    if (this.asked !== asked) return;
    if (failed) this.ask(text, AGAIN_MS);
    else if (readMs < typed && fresher > 0) this.timer = setTimeout(() => this.#send(text, typed, fresher - 1, said), FRESHER_MS);
  }
}

/** results: null where nothing is known; trouble in words; failed: it is worth asking again; readMs: when the index was read, on this page's clock. */
async function answerOf(url, signal) {
  const began = performance.now();
  try {
    const response = await fetch(url, { headers: { Accept: "application/json" }, signal });
    if (response.ok) {
      const { results, age_s } = await response.json();
      return { results, trouble: "", failed: false, readMs: began - 1000 * age_s };
    }
    if ([401, 403].includes(response.status)) return { results: null, trouble: "Logged out: reload the page.", failed: false, readMs: Infinity };
    return { results: null, trouble: `The search failed (${response.status}). It is asked again.`, failed: true, readMs: Infinity };
  } catch {
    return { results: null, trouble: "No connection. The search is asked again.", failed: true, readMs: Infinity };
  }
}
