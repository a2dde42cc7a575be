// Which hosts the grid shows, and in which order. What hosts are ordered by is one of few numbers, a byte or the rank of a
// text; so they are counted, not compared: ten thousand take well below a millisecond, ties by name.
// The page that the server draws is ordered alike: console/fleet/order.py.
import { BARS, STATES, UNKNOWN, worstByte } from "./live.js";

/** Not shown. */
const OUT = -1;
/** In one question. */
const MOST_LABELS = 16;
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
  view = {};
  fits = new Uint8Array(0);
  found = new Uint32Array(0);
  places = new Int32Array(0);
  /** Rows of the feed, in order. */
  rows = new Uint32Array(0);
  #ranks = {};
  #byName = [];

  /** Other hosts than before. */
  meet(hosts) {
    this.hosts = hosts;
    this.found = new Uint32Array(hosts.length);
    this.places = new Int32Array(hosts.length);
    this.#ranks = {};
    const { ranks } = this.#ranked("name");
    this.#byName = Uint32Array.from(hosts.keys()).sort((a, b) => ranks[a] - ranks[b]);
    this.narrow(this.view);
  }

  /**
   * q: a text in name or address; label: KEY=VALUE, or KEY alone, several with spaces between; state: a word. All of them
   * as the server reads them: console/fleet/listing.py.
   */
  narrow(view) {
    this.view = view;
    const text = (view.q ?? "").toLowerCase();
    const wanted = labelsAsked(view.label ?? "");
    this.fits = Uint8Array.from(this.hosts, ({ name, address, labels }) => {
      if (text && !name.toLowerCase().includes(text) && !(address ?? "").toLowerCase().includes(text)) return 0;
      for (const [key, values] of wanted) {
        if (!Object.hasOwn(labels ?? {}, key) || !(values.has(null) || values.has(labels[key]))) return 0;
      }
      return 1;
    });
  }

  /** Put them in order: sort is a column's key, with "-" before it from the other end. */
  arrange(frame, sort) {
    const descending = sort.startsWith("-");
    const key = descending ? sort.slice(1) : sort;
    const level = Object.hasOwn(LEVELS, key) ? LEVELS[key] : null;
    const { ranks, most } = level ? { most: UNKNOWN } : this.#ranked(Object.hasOwn(TEXTS, key) ? key : "name");
    const last = level && !KNOWN.includes(key) ? UNKNOWN : OUT;
    const { state } = this.view;
    const begins = new Uint32Array(most + 3);
    for (let each = 0; each < this.hosts.length; each += 1) {
      const row = this.#byName[each];
      let place = OUT;
      if (this.fits[row] && (!state || isIn(state, frame.state[row]))) {
        const value = level ? level(frame, row) : ranks[row];
        place = value === last ? most + 1 : descending ? most - value : value;
        begins[place + 1] += 1;
      }
      this.places[each] = place;
    }
    for (let place = 1; place < begins.length; place += 1) begins[place] += begins[place - 1];
    const count = begins[most + 2];
    for (let each = 0; each < this.hosts.length; each += 1) {
      const place = this.places[each];
      if (place !== OUT) this.found[begins[place]++] = this.#byName[each];
    }
    this.rows = this.found.subarray(0, count);
  }

  /** ranks: by row, the same for the same text; most: the highest. */
  #ranked(key) {
    this.#ranks[key] ??= rank(this.hosts.map(TEXTS[key]));
    return this.#ranks[key];
  }
}

function rank(texts) {
  const sorted = [...new Set(texts)].sort((a, b) => (a < b ? -1 : 1));
  const places = new Map(sorted.map((text, place) => [text, place]));
  return { ranks: Uint32Array.from(texts, (text) => places.get(text)), most: sorted.length };
}

/** By key the values that fit; null: any. */
function labelsAsked(text) {
  const wanted = new Map();
  for (const label of text.split(/\s+/).filter(Boolean).slice(0, MOST_LABELS)) {
    const at = label.indexOf("=");
    const key = at < 0 ? label : label.slice(0, at);
    if (!wanted.has(key)) wanted.set(key, new Set());
    wanted.get(key).add(at < 0 ? null : label.slice(at + 1));
  }
  return wanted;
}

function isIn(state, bits) {
  if (!state) return true;
  if (state === "active") return (bits & (STATES.cordoned | STATES.draining)) === 0;
  return (bits & (STATES[state] ?? 0)) !== 0;
}
