// What the map can show of a host: each measure reads the live frame and allocates nothing, so that ten thousand
// hosts can be asked at once. A level is a byte, 0 to FULL for none to all, UNKNOWN where nothing is known.
import { BARS, FULL, SILENT_MS, STATES, UNKNOWN, ageText, percent, share, words, worstByte } from "./live.js";

export const STEPS = 6;
/** What a tile is painted with: a step of the ramp, then these; NO_PAINT = dots, nothing is known. */
export const PAINTS = { steel: STEPS, brass: STEPS + 1, alarm: STEPS + 2, other: STEPS + 3 };
export const NO_PAINT = 15;

const LABEL = "label:";
/** The words of every state byte, said once. */
export const WORDS = Array.from({ length: 16 }, (_, bits) => words(bits));

/**
 * Of one measure: title; level(frame, row); text(frame, row); ends: what the ramp's two ends mean; band(step), a step in
 * words; rare: true where little is what to look at; outlives: known of silent hosts too.
 */
class Measure {
  constructor(name, title, level, more = {}) {
    Object.assign(this, { name, title, level, rare: false, outlives: false, ends: ["0 %", "100 %"] }, more);
    this.bar = BARS.indexOf(name);
  }

  /** The level as far as it is still known. */
  known(frame, row) {
    return frame.state[row] & STATES.silent && !this.outlives ? UNKNOWN : this.level(frame, row);
  }

  paint(frame, row) {
    const level = this.known(frame, row);
    if (level === UNKNOWN) return NO_PAINT;
    return stepOf(this.rare ? FULL - Math.min(FULL, level) : level);
  }

  text(frame, row) {
    return percent(share(this.known(frame, row)));
  }

  /** The paint of the reserved share that is drawn beside it: of the same resource, or the largest. */
  held(frame, row) {
    const level = this.bar < 0 ? worstByte(frame.reserved, row) : frame.reserved[row * 4 + this.bar];
    return level === UNKNOWN ? NO_PAINT : stepOf(level);
  }

  band(step) {
    const [from, to] = [Math.round((step / STEPS) * 100), Math.round(((step + 1) / STEPS) * 100)];
    return step === STEPS - 1 ? `${from} % and more` : `${from} to ${to} %`;
  }
}

function stepOf(level) {
  return Math.min(STEPS - 1, Math.floor((level * STEPS) / FULL));
}

const OLDEST_S = SILENT_MS / 1000;

const ALL = [
  new Measure("worst", "the worst used", (frame, row) => worstByte(frame.used, row)),
  ...BARS.map((bar, each) => new Measure(bar, `${bar} used`, (frame, row) => frame.used[row * 4 + each])),
  new Measure("dominant", "dominant share reserved", (frame, row) => worstByte(frame.reserved, row), { outlives: true }),
  new Measure("headroom", "headroom", headroom, { rare: true, ends: ["100 % free", "0 % free"] }),
  new Measure("age", "age of the report", age, {
    outlives: true,
    ends: ["just now", `${OLDEST_S} s`],
    text: (frame, row) => ageText(frame.age[row] === UNKNOWN ? NaN : frame.age[row]),
    band: (step) => `from ${(step / STEPS) * OLDEST_S} s`,
  }),
  new Measure("state", "state", () => 0, {
    outlives: true,
    ends: null,
    text: (frame, row) => WORDS[frame.state[row] & 15].join(", "),
    paint: statePaint,
  }),
];
const BY_NAME = new Map(ALL.map((measure) => [measure.name, measure]));

/** What is left where least is: of every resource, what is neither used nor reserved. */
function headroom(frame, row) {
  const used = worstByte(frame.used, row);
  const reserved = worstByte(frame.reserved, row);
  if (used === UNKNOWN) return UNKNOWN;
  return Math.max(0, FULL - Math.max(used, reserved === UNKNOWN ? 0 : reserved));
}

function age(frame, row) {
  return frame.age[row] === UNKNOWN ? FULL : Math.min(FULL, Math.round((frame.age[row] / OLDEST_S) * FULL));
}

function statePaint({ state }, row) {
  if (state[row] & STATES.lost) return PAINTS.alarm;
  if (state[row] & STATES.silent) return NO_PAINT;
  return state[row] & (STATES.draining | STATES.cordoned) ? PAINTS.brass : PAINTS.steel;
}

/** How a label is said in the URL: by its key, or where a measure is called the same, with a word before it. */
export function choiceOf(label) {
  return BY_NAME.has(label) ? LABEL + label : label;
}

/** The measure of that name, or undefined: then it is a label, see labelOf. */
export function measureOf(choice) {
  return BY_NAME.get(choice);
}

export function labelOf(choice) {
  return choice.startsWith(LABEL) && BY_NAME.has(choice.slice(LABEL.length)) ? choice.slice(LABEL.length) : choice;
}

/** Hosts by a label's value: the commonest values have a step of the ramp each, the rest share one paint. */
export function labelMeasure(hosts, label) {
  const counts = new Map();
  for (const { labels } of hosts) {
    const value = valueOf(labels, label);
    if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const common = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || (a < b ? -1 : 1)).slice(0, STEPS);
  const spread = common.length > 1 ? (STEPS - 1) / (common.length - 1) : 0;
  const paints = new Map(common.map((value, place) => [value, Math.round(place * spread)]));
  const rows = Uint8Array.from(hosts, ({ labels }) => {
    const value = valueOf(labels, label);
    return value === undefined ? NO_PAINT : (paints.get(value) ?? PAINTS.other);
  });
  return new Measure(choiceOf(label), label, () => 0, {
    outlives: true,
    ends: null,
    paint: (_, row) => rows[row],
    text: (_, row) => valueOf(hosts[row].labels, label) ?? `without ${label}`,
    values: [...paints, ...(counts.size > common.length ? [["others", PAINTS.other]] : [])],
  });
}

/** How large a host is beside the largest; for sizes alone. */
export function coresMeasure(hosts) {
  const most = hosts.reduce((found, { cores }) => Math.max(found, cores), 1e-9);
  return new Measure("cores", "cores", (_, row) => Math.round((hosts[row].cores / most) * FULL), { outlives: true });
}

/** A label may be called like something that every object has. */
export function valueOf(labels, label) {
  return Object.hasOwn(labels, label) ? labels[label] : undefined;
}
