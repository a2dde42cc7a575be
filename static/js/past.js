// A stretch of one host's past as columns, which the live feed goes on with. The answer's format: console/history/read.py.
import { BARS, STATES } from "./live.js";

const KINDS = ["max", "min", "p95", "reserved"];
const RANK = 0.95;
/** A step that is this much longer than a step has nothing in it: a gap. */
const GAP_STEPS = 1.6;

export class Past {
  constructor(answer) {
    this.step = answer.step_s;
    [this.begin, this.end] = [answer.begin, answer.end];
    this.times = answer.at;
    this.state = answer.state;
    this.used = answer.used;
    this.samples = [];
  }

  /** Put a live picture of the host into the step that a moment (seconds since 1970) lies in. */
  follow(now, host) {
    const step = Math.floor(now / this.step) * this.step;
    this.end = now;
    if (this.times.at(-1) !== step) {
      if (this.times.at(-1) > step) return; // a clock that went back; the next step is right again
      this.samples = [];
      this.times.push(step);
      this.state.push(0);
      for (const bar of BARS) for (const kind of KINDS) this.used[bar][kind].push(null);
    }
    this.samples.push(host.used);
    this.state[this.state.length - 1] |= bitsOf(host.words);
    BARS.forEach((bar, each) => this.#renew(bar, each, host.reserved[each]));
  }

  #renew(bar, each, reserved) {
    const known = this.samples.map((used) => used[each]).filter((share) => !Number.isNaN(share)).sort((a, b) => a - b);
    const last = this.times.length - 1;
    const columns = this.used[bar];
    const kept = [columns.min[last], columns.max[last], columns.p95[last]].filter((share) => share !== null);
    if (known.length) {
      columns.min[last] = Math.min(known[0], ...kept);
      columns.max[last] = Math.max(known.at(-1), ...kept);
      columns.p95[last] = known[Math.ceil(RANK * known.length) - 1];
    }
    if (!Number.isNaN(reserved)) columns.reserved[last] = Math.max(reserved, columns.reserved[last] ?? 0);
  }

  forgetBefore(begin) {
    this.begin = begin;
    const first = this.times.findIndex((at) => at >= begin);
    if (first <= 0) return;
    this.times.splice(0, first);
    this.state.splice(0, first);
    for (const bar of BARS) for (const kind of KINDS) this.used[bar][kind].splice(0, first);
  }

  /** [times, max, min, p95, reserved] of a bar for a chart: nothing where nothing was kept, so that gaps are gaps. */
  columns(bar) {
    const made = [[], [], [], [], []];
    this.times.forEach((at, each) => {
      const before = made[0].at(-1);
      if (each && at - this.times[each - 1] > GAP_STEPS * this.step) push(made, before + this.step, [null, null, null, null]);
      push(made, at, KINDS.map((kind) => this.used[bar][kind][each]));
    });
    return made;
  }

  /** The number of the point nearest a moment, -1 where there is none within a step or so. */
  nearest(at) {
    let best = -1;
    this.times.forEach((time, each) => {
      if (best < 0 || Math.abs(time - at) < Math.abs(this.times[best] - at)) best = each;
    });
    return best >= 0 && Math.abs(this.times[best] - at) <= GAP_STEPS * this.step ? best : -1;
  }

  /** What a bar was at a point, in words. */
  said(bar, each) {
    const { min, max, p95, reserved } = this.used[bar];
    if (max[each] === null || max[each] === undefined) return "unknown";
    const spread = max[each] - min[each] < 0.005 ? whole(max[each]) : `${whole(min[each])} to ${whole(max[each])}, p95 ${whole(p95[each])}`;
    return reserved[each] === null ? spread : `${spread}, reserved ${whole(reserved[each])}`;
  }

  /** The most that a bar was, NaN where it is unknown. */
  most(bar) {
    const known = this.used[bar].max.filter((share) => share !== null);
    return known.length ? Math.max(...known) : NaN;
  }
}

export function whole(share) {
  return Number.isNaN(share) ? "unknown" : `${(share * 100).toFixed(share < 0.0995 && share > 0 ? 1 : 0)} %`;
}

/** A moment (seconds since 1970) in UTC, as all times of the pages. */
export function clock(at, day = false) {
  const iso = new Date(at * 1000).toISOString();
  return day ? `${iso.slice(5, 10)} ${iso.slice(11, 19)}` : iso.slice(11, 19);
}

function push(made, at, shares) {
  made[0].push(at);
  shares.forEach((share, each) => made[each + 1].push(share));
}

function bitsOf(words) {
  return words.reduce((bits, word) => bits | (STATES[word] ?? 0), 0);
}
