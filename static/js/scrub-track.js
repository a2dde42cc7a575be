// What lies behind the scrubber: the hosts' worst bars over the range, so that one sees where to go.
import { onRepaint, schemeColours, prepare } from "./colours.js";
import { clock } from "./past.js";

const LABELS = 4;
const FOOT = 13;
const GAP_STEPS = 1.6;

export class Track {
  /** inset: pixels at both ends that the slider's thumb needs. */
  constructor(canvas, inset) {
    this.canvas = canvas;
    this.inset = inset;
    onRepaint(() => this.draw());
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** series: the cluster over [begin, end], null where it is not known. */
  show(series, begin, end) {
    [this.series, this.begin, this.end] = [series, begin, end];
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !this.end) return;
    const ctx = prepare(this.canvas, width, height);
    const { line, "line-strong": strong, "ink-2": ink, "ink-3": faint, font } = schemeColours();
    const room = width - 2 * this.inset;
    const x = (at) => this.inset + ((at - this.begin) / (this.end - this.begin)) * room;
    const y = (share) => (height - FOOT) * (1 - Math.min(1, share) * 0.94);
    ctx.fillStyle = line;
    ctx.fillRect(this.inset, height - FOOT, room, 1);
    if (this.series) {
      this.bars("max", strong, ctx, x, y, height - FOOT);
      this.bars("p95", ink, ctx, x, y, height - FOOT);
    }
    ctx.font = `10px ${font}`;
    ctx.fillStyle = faint;
    for (let each = 0; each <= LABELS; each += 1) {
      const at = this.begin + ((this.end - this.begin) * each) / LABELS;
      ctx.textAlign = each === 0 ? "left" : each === LABELS ? "right" : "center";
      const days = this.end - this.begin > 2 * 86_400;
      ctx.fillText(days ? clock(at, true).slice(0, 5) : clock(at).slice(0, 5), x(at), height - 2);
    }
  }

  /** One column a step, of the worst of the four bars; nothing where nothing was kept. */
  bars(kind, colour, ctx, x, y, foot) {
    const { at, used, step_s: step } = this.series;
    ctx.fillStyle = colour;
    at.forEach((time, each) => {
      const shares = Object.values(used).map((bar) => bar[kind][each]).filter((share) => share !== null);
      if (!shares.length) return;
      const next = at[each + 1] - time <= GAP_STEPS * step ? at[each + 1] : time + step;
      const from = Math.max(x(time), this.inset);
      const top = y(Math.max(...shares));
      if (next > this.begin) ctx.fillRect(from, top, Math.max(Math.min(x(next), x(this.end)) - from, 0.75), foot - top);
    });
  }
}
