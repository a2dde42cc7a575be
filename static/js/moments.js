// Moments of the past from the console: a snapshot with its hosts, what happened around it, and the cluster over a range.

const KEPT_FRAMES = 60;
const TIMEOUT_MS = 8000;
const API = "/api/v1/history/";
const ROSTER_AT = 8; // of the header, see console/live/frames.py

const rosters = new Map();
const frames = new Map();

/** {at, hosts, buffer} of the moment nearest before a time (seconds); null where nothing is kept of it. Raises where
 * no answer came, or signal ended it. */
export async function frameAt(seconds, signal) {
  const known = frames.get(seconds);
  if (known) return known;
  const response = await ask(`frame/?t=${iso(seconds)}`, signal);
  if (!response) return null;
  const buffer = await response.arrayBuffer();
  const roster = new DataView(buffer).getUint32(ROSTER_AT, true);
  const found = { at: Date.parse(response.headers.get("Steelyard-At")) / 1000, hosts: await hostsOf(roster, signal), buffer };
  frames.set(seconds, found);
  if (frames.size > KEPT_FRAMES) frames.delete(frames.keys().next().value);
  return found;
}

export async function around(seconds, withinSeconds, signal) {
  const response = await ask(`around/?t=${iso(seconds)}&within_s=${withinSeconds}`, signal);
  return response && response.json();
}

/** The cluster's past over a usual range: see console/history/read.py. */
export async function clusterOver(range) {
  const response = await ask(`cluster/?range=${range}`);
  return response && response.json();
}

export function iso(seconds) {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

async function hostsOf(roster, signal) {
  if (!rosters.has(roster)) {
    const response = await ask(`rosters/${roster}/`, signal);
    if (!response) throw new Error("the roster has gone");
    rosters.set(roster, (await response.json()).hosts);
  }
  return rosters.get(roster);
}

async function ask(path, signal) {
  const limits = [AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])];
  const response = await fetch(API + path, { signal: AbortSignal.any(limits) });
  if (response.status === 404) return null;
  if (!response.ok || response.redirected) throw new Error(`answered ${response.status}`);
  return response;
}
