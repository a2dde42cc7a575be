// Asking for JSON again and again while somebody looks: one request at a time for all that ask the same address.

const TIMEOUT_MS = 4000;
const polls = new Map();

/**
 * Call take(answer) about every pause milliseconds, and take(null) where no answer came.
 * Pauses while the page is hidden.
 */
export function poll(url, pause, take) {
  const known = polls.get(url);
  if (known) {
    known.push(take);
    return;
  }
  const takers = [take];
  polls.set(url, takers);
  const round = async () => {
    if (!document.hidden) {
      const answer = await ask(url);
      for (const each of takers) each(answer);
    }
    setTimeout(round, pause);
  };
  round();
}

async function ask(url) {
  try {
    const response = await fetch(url, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(TIMEOUT_MS) });
    // A session that ended leads to the login page: that is no answer.
    return response.ok && !response.redirected ? await response.json() : null;
  } catch {
    return null;
  }
}
