// Which hosts stand together on the map, and in which order.
import { NO_PAINT, STEPS, WORDS, labelOf, measureOf, valueOf } from "./map-measures.js";

/** Rows by name, with numbers as numbers: host-2 before host-10. */
export function inOrder(hosts) {
  const keys = hosts.map(({ name }) => naturally(name));
  return Uint32Array.from(hosts.keys()).sort((a, b) => (keys[a] < keys[b] ? -1 : 1));
}

function naturally(text) {
  return text.replace(/\d+/g, (digits) => digits.padStart(12, "0"));
}

/** Whether hosts go from group to group by themselves. */
export function moves(choice) {
  return measureOf(choice) !== undefined;
}

/**
 * Groups of the feed's hosts: [{title, rows}], each group's rows in order. choice: "" for one group, a measure's name or a
 * label's key. Measures need a frame.
 */
export function groupsOf(hosts, order, choice, frame) {
  if (!choice) return [{ title: "All hosts", rows: order }];
  const measure = measureOf(choice);
  if (!measure) return byLabel(hosts, order, labelOf(choice));
  if (measure.name === "state") return byState(order, frame);
  return byBand(order, measure, frame);
}

function byLabel(hosts, order, label) {
  const found = gather(order, (row) => valueOf(hosts[row].labels, label));
  return [...found.entries()]
    .sort(([a], [b]) => (a === undefined) - (b === undefined) || (naturally(a ?? "") < naturally(b ?? "") ? -1 : 1))
    .map(([value, rows]) => ({ title: value === undefined ? `without ${label}` : `${label} ${value}`, rows }));
}

/** What needs a look comes first. */
function byState(order, frame) {
  const found = gather(order, (row) => frame.state[row] & 15);
  return [...found.entries()].sort(([a], [b]) => b - a).map(([bits, rows]) => ({ title: WORDS[bits].join(", "), rows }));
}

/** The steps of the ramp, the heaviest first; what is unknown last. */
function byBand(order, measure, frame) {
  const found = gather(order, (row) => measure.paint(frame, row));
  const weight = (paint) => (paint === NO_PAINT ? -1 : paint);
  return [...found.entries()]
    .sort(([a], [b]) => weight(b) - weight(a))
    .map(([paint, rows]) => {
      const step = measure.rare ? STEPS - 1 - paint : paint;
      return { title: `${measure.title}: ${paint === NO_PAINT ? "unknown" : measure.band(step)}`, rows };
    });
}

function gather(order, key) {
  const found = new Map();
  for (const row of order) {
    const value = key(row);
    const rows = found.get(value);
    if (rows) rows.push(row);
    else found.set(value, [row]);
  }
  return found;
}
