// Which hosts the grid shows, and in which order. A host's place is one number: what it is ordered by, then its name; so
// ten thousand are put in order by the browser's own sort of numbers, without a call of ours for each comparison.
// The page that the server draws is ordered alike: console/fleet/order.py.
import { BARS, STATES, UNKNOWN, worstByte } from "./live.js";

/** More than a feed can number hosts. */
const NAMES = 2 ** 20;
const FIRST = 0;
/** Behind everything that is known, from either end. */
const LAST = 2 ** 21;
const RANKS = [STATES.cordoned, STATES.draining, STATES.silent, STATES.lost];
const WEIGHTS = Array.from({ length: 16 }, (_, bits) => RANKS.reduce((most, bit, place) => (bits & bit ? place + 1 : most), 0));

const worst = (frame, row) => (frame.state[row] & STATES.silent ? UNKNOWN : worstByte(frame.used, row));
const LEVELS = {
  worst,
  load: worst,
  state: (frame, row) => WEIGHTS[frame.state[row] & 15],
  age: (frame, row) => frame.age[row],
};
BARS.forEach((bar, each) => {
  LEVELS[bar] = (frame, row) => (frame.state[row] & STATES.silent ? UNKNOWN : frame.used[row * 4 + each]);
  LEVELS[`${bar}_reserved`] = (frame, row) => frame.reserved[row * 4 + each];
});
/** Of these the last byte is a value like others. */
const KNOWN = ["state", "age"];
const TEXTS = { name: ({ name }) => name, address: ({ address }) => naturally(address ?? ""), labels: labelText };

export function labelText({ labels }) {
  return Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
}

function naturally(text) {
  return text.replace(/\d+/g, (digits) => digits.padStart(12, "0"));
}

export class Order {
  hosts = [];
  ranks = {};
  keys = new Float64Array(0);
  found = new Uint32Array(0);
  /** Rows of the feed, in order. */
  rows = new Uint32Array(0);

  /** Other hosts than before. */
  meet(hosts) {
    this.hosts = hosts;
    this.keys = new Float64Array(hosts.length);
    this.found = new Uint32Array(hosts.length);
    this.ranks = {};
    this.byName = this.#ranksOf("name");
    this.atName = new Uint32Array(hosts.length);
    this.byName.forEach((rank, row) => (this.atName[rank] = row));
    this.narrow(this.view ?? {});
  }

  /** q: a text in name or address; label: KEY=VALUE, or KEY alone; state: a word. All of them as the server reads them. */
  narrow(view) {
    this.view = view;
    const text = (view.q ?? "").toLowerCase();
    const [key, value] = split(view.label ?? "");
    this.fits = Uint8Array.from(this.hosts, ({ name, address, labels }) => {
      if (text && !name.toLowerCase().includes(text) && !(address ?? "").toLowerCase().includes(text)) return 0;
      if (!key) return 1;
      return Object.hasOwn(labels ?? {}, key) && (value === null || labels[key] === value) ? 1 : 0;
    });
  }

  /** Put them in order: sort is a column's key, with "-" before it from the other end. */
  arrange(frame, sort) {
    const descending = sort.startsWith("-");
    const key = descending ? sort.slice(1) : sort;
    const known = KNOWN.includes(key);
    const level = Object.hasOwn(LEVELS, key) ? LEVELS[key] : null;
    const ranks = level ? null : this.#ranksOf(Object.hasOwn(TEXTS, key) ? key : "name");
    let count = 0;
    for (let row = 0; row < this.hosts.length; row += 1) {
      if (!this.fits[row] || !isIn(this.view.state, frame.state[row])) continue;
      const value = level ? level(frame, row) : ranks[row];
      const place = level && !known && value === UNKNOWN ? LAST : descending ? LAST - 1 - value : FIRST + value;
      this.keys[count] = place * NAMES + this.byName[row];
      count += 1;
    }
    const keys = this.keys.subarray(0, count).sort();
    for (let each = 0; each < count; each += 1) this.found[each] = this.atName[keys[each] % NAMES];
    this.rows = this.found.subarray(0, count);
  }

  #ranksOf(key) {
    this.ranks[key] ??= rank(this.hosts.map(TEXTS[key]));
    return this.ranks[key];
  }
}

/** The same number for the same text. */
function rank(texts) {
  const places = new Map([...new Set(texts)].sort((a, b) => (a < b ? -1 : 1)).map((text, place) => [text, place]));
  return Uint32Array.from(texts, (text) => places.get(text));
}

function split(label) {
  const at = label.indexOf("=");
  return at < 0 ? [label.trim(), null] : [label.slice(0, at).trim(), label.slice(at + 1).trim()];
}

function isIn(state, bits) {
  if (!state) return true;
  if (state === "active") return (bits & (STATES.cordoned | STATES.draining)) === 0;
  return (bits & (STATES[state] ?? 0)) !== 0;
}
