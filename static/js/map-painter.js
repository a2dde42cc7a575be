// Paints what changed, a few milliseconds of every animation frame, and nothing that would look the same.
import { FULL, UNKNOWN, percent, share } from "./live.js";
import { cellLook, paintCells } from "./map-cells.js";
import { PAINTS } from "./map-measures.js";
import { drawGroup, drawTile } from "./map-tiles.js";
import { schemeColours } from "./colours.js";

/** Of an animation frame's 16 ms, what the map may take; the rest is the browser's. */
const SLICE_MS = 5;
/** Between two looks at the clock. */
const AT_ONCE = 256;
const SMALLEST = 3;
const NOTHING = 0xffffffff;
const LEVELS = 256;

export class Painter {
  /** plan: of map-layout; names: by row; colour: the measure of colours; size: that of sizes, or null. */
  constructor(ctx, plan, names, colour, size) {
    Object.assign(this, { ctx, plan, names, colour, size });
    const { hosts, groups } = plan;
    this.colours = coloursOf();
    // What is drawn of each row, three words of it; a cell needs one.
    this.looks = new Uint32Array(3 * hosts).fill(NOTHING);
    this.queue = new Uint32Array(hosts);
    this.queued = new Uint8Array(hosts);
    [this.from, this.length] = [0, 0];
    this.slots = new Uint32Array(AT_ONCE);
    this.batch = new Uint32Array(AT_ONCE);
    // How many hosts of a group are at each level: what its title says, without asking all of them again.
    this.levels = new Uint32Array(groups.length * LEVELS);
    this.levelOf = new Uint8Array(hosts);
    this.counted = new Uint8Array(hosts);
    this.said = groups.map(() => null);
    this.stale = new Set();
    this.painted = 0;
  }

  /** Rows that may look otherwise; null for all. */
  mark(rows) {
    const count = rows ? rows.length : this.plan.hosts;
    for (let each = 0; each < count; each += 1) {
      const row = rows ? rows[each] : each;
      if (this.queued[row]) continue;
      this.queued[row] = 1;
      this.queue[(this.from + this.length) % this.queue.length] = row;
      this.length += 1;
    }
  }

  /** Paint for one slice, or until all is painted. True where something is left. */
  paint(frame, whole = false) {
    const until = performance.now() + SLICE_MS;
    while (this.length && (whole || performance.now() < until)) this.some(frame);
    if (!this.length) this.titles(whole ? Infinity : until);
    return this.length > 0 || this.stale.size > 0;
  }

  some(frame) {
    const { queue, queued, plan, looks, slots, batch } = this;
    const count = Math.min(AT_ONCE, this.length);
    const words = new Uint32Array(frame.used.buffer);
    const held = new Uint32Array(frame.reserved.buffer);
    let changed = 0;
    for (let each = 0; each < count; each += 1) {
      const row = queue[this.from];
      this.from = (this.from + 1) % queue.length;
      queued[row] = 0;
      this.count(frame, row);
      if (plan.level === "cell") {
        const look = this.look(frame, row);
        if (looks[row * 3] === look) continue;
        looks[row * 3] = look;
        slots[changed] = plan.slot[row];
        batch[changed] = look;
        changed += 1;
      } else if (this.differs(row, words[row], held[row], this.detail(frame, row))) {
        this.painted += 1;
        drawTile(this.ctx, plan, frame, row, this.described(frame, row));
      }
    }
    this.length -= count;
    this.painted += changed;
    if (changed) paintCells(this.ctx, plan, this.colours, slots, batch, changed);
  }

  look(frame, row) {
    return cellLook(this.colour.paint(frame, row), this.colour.held(frame, row), frame.state[row], this.side(frame, row));
  }

  /** The area says the level, so its root is the side. */
  side(frame, row) {
    const whole = this.plan.tileHeight;
    const level = this.size ? this.size.known(frame, row) : UNKNOWN;
    return level === UNKNOWN ? whole : Math.max(SMALLEST, Math.round(Math.sqrt(Math.min(FULL, level) / FULL) * whole));
  }

  detail(frame, row) {
    return frame.state[row] | (this.colour.paint(frame, row) << 8) | (this.colour.known(frame, row) << 16);
  }

  differs(row, used, reserved, rest) {
    const { looks } = this;
    const at = row * 3;
    if (looks[at] === used && looks[at + 1] === reserved && looks[at + 2] === rest) return false;
    [looks[at], looks[at + 1], looks[at + 2]] = [used, reserved, rest];
    return true;
  }

  described(frame, row) {
    const { colour, colours, names } = this;
    return { name: names[row], paint: colour.paint(frame, row), said: colour.text(frame, row), colours };
  }

  // -- what is said of groups ----------------------------------------------------------------

  count(frame, row) {
    const group = this.plan.group[row];
    const level = this.colour.known(frame, row);
    if (this.counted[row] && this.levelOf[row] === level) return;
    if (this.counted[row]) this.levels[group * LEVELS + this.levelOf[row]] -= 1;
    this.counted[row] = 1;
    this.levelOf[row] = level;
    this.levels[group * LEVELS + level] += 1;
    this.stale.add(group);
  }

  titles(until) {
    for (const group of this.stale) {
      this.stale.delete(group);
      const said = this.sayGroup(group);
      if (said[0] !== this.said[group]) {
        [this.said[group]] = said;
        drawGroup(this.ctx, this.plan.groups[group], said);
      }
      if (performance.now() > until) return;
    }
  }

  /** From the longest to the shortest; never a mean alone: the host that is worst off is the last to go. */
  sayGroup(group) {
    const { rows } = this.plan.groups[group];
    const hosts = `${rows.length} ${rows.length === 1 ? "host" : "hosts"}`;
    if (!this.colour.ends || this.colour.name === "age") return [hosts];
    const levels = this.levels.subarray(group * LEVELS, (group + 1) * LEVELS);
    const known = rows.length - levels[UNKNOWN];
    const unknown = known === rows.length ? [] : [rows.length === 1 ? "unknown" : `${levels[UNKNOWN]} unknown`];
    if (!known) return [[hosts, ...unknown].join(", "), unknown.join()];
    const { rare } = this.colour;
    const worst = percent(share(levelAt(levels, rare ? 1 : known)));
    const utmost = rows.length === 1 ? worst : `${rare ? "least" : "highest"} ${worst}`;
    const half = known > 2 ? [`half below ${percent(share(levelAt(levels, Math.ceil(known / 2))))}`] : [];
    const ways = [[hosts, utmost, ...half, ...unknown], [hosts, utmost, ...unknown], [utmost, ...unknown], [worst, ...unknown]];
    return ways.map((way) => way.join(", "));
  }
}

/** The level of the host that comes at this place, counted from the lowest, from 1. */
function levelAt(levels, place) {
  let passed = 0;
  for (let level = 0; level < UNKNOWN; level += 1) {
    passed += levels[level];
    if (passed >= place) return level;
  }
  return UNKNOWN;
}

/** Colours by paint. */
export function coloursOf() {
  const { ramp, steel, brass, alarm, "ink-3": other } = schemeColours();
  const colours = [...ramp];
  [colours[PAINTS.steel], colours[PAINTS.brass], colours[PAINTS.alarm], colours[PAINTS.other]] = [steel, brass, alarm, other];
  return colours;
}
