// Small tiles, many at once: a fill of colour, below it what is reserved as a line. Tiles are painted by colour, because
// what costs on a canvas is to change it; state is a shape on top, never colour alone.
import { STATES } from "./live.js";
import { NO_PAINT } from "./map-measures.js";
import { palette } from "./palette.js";

// How a cell looks, in 32 bits: equal bits are equal pixels.
const [STATE_AT, SIDE_AT, HELD_AT] = [4, 8, 16];
const LONGEST = 0x7f;

/** paint: as measures say it; state: the state's byte; side and held in pixels. */
export function cellLook(paint, state, side, held) {
  return paint | ((state & 15) << STATE_AT) | (Math.min(LONGEST, side) << SIDE_AT) | (Math.min(LONGEST, held) << HELD_AT);
}

/** How a cell divides its height: the square of colour above, the line of what is reserved below. */
export function cellParts({ tileWidth, tileHeight }) {
  const line = tileHeight < 14 ? 2 : 3;
  return { square: Math.min(tileWidth, tileHeight - line - 1), line };
}

/** Paint the first count of slots, each as its look says. */
export function paintCells(ctx, plan, paints, slots, looks, count) {
  const { x, y, tileWidth, tileHeight } = plan;
  const { square, line } = cellParts(plan);
  const { paper, line: rest, "ink-2": ink } = palette();
  let [seen, marked] = [0, 0];
  ctx.fillStyle = paper;
  for (let each = 0; each < count; each += 1) {
    const look = looks[each];
    seen |= 1 << (look & 15);
    marked |= (look >> STATE_AT) & 15;
    const whole = ((look >> SIDE_AT) & LONGEST) === square && (look & 15) !== NO_PAINT;
    if (!whole) ctx.fillRect(x[slots[each]], y[slots[each]], tileWidth, tileHeight - line);
  }
  for (let paint = 0; paint < paints.length; paint += 1) {
    if (!(seen & (1 << paint))) continue;
    ctx.fillStyle = paints[paint];
    for (let each = 0; each < count; each += 1) {
      if ((looks[each] & 15) === paint) fillSquare(ctx, plan, square, slots[each], looks[each]);
    }
  }
  if (seen & (1 << NO_PAINT)) {
    ctx.fillStyle = pattern(ctx, "dots");
    for (let each = 0; each < count; each += 1) {
      if ((looks[each] & 15) === NO_PAINT) ctx.fillRect(x[slots[each]], y[slots[each]], tileWidth, tileHeight - line - 1);
    }
  }
  ctx.fillStyle = rest;
  for (let each = 0; each < count; each += 1) ctx.fillRect(x[slots[each]], y[slots[each]] + tileHeight - line, tileWidth, line);
  ctx.fillStyle = ink;
  for (let each = 0; each < count; each += 1) {
    const held = (looks[each] >> HELD_AT) & LONGEST;
    if (held) ctx.fillRect(x[slots[each]], y[slots[each]] + tileHeight - line, held, line);
  }
  if (!marked) return;
  for (let each = 0; each < count; each += 1) {
    const bits = (looks[each] >> STATE_AT) & 15;
    if (bits) markState(ctx, x[slots[each]], y[slots[each]], tileWidth, tileHeight - line - 1, bits);
  }
}

function fillSquare(ctx, { x, y, tileWidth, tileHeight }, square, slot, look) {
  const side = (look >> SIDE_AT) & LONGEST;
  const { line } = cellParts({ tileWidth, tileHeight });
  // Full cells fill their width, which may be more than their height.
  if (side === square) ctx.fillRect(x[slot], y[slot], tileWidth, tileHeight - line - 1);
  else ctx.fillRect(x[slot] + ((tileWidth - side) >> 1), y[slot] + ((square - side) >> 1), side, side);
}

/** Draining is hatched, cordoned outlined, silent a dotted edge, lost a cross: on a tile of any size. */
export function markState(ctx, x, y, width, height, bits) {
  const { "ink-2": strong, "ink-3": faint, alarm } = palette();
  if (bits & STATES.draining) {
    ctx.fillStyle = pattern(ctx, "hatch");
    ctx.fillRect(x, y, width, height);
  }
  const silent = bits & (STATES.silent | STATES.lost);
  ctx.lineWidth = 1;
  ctx.strokeStyle = bits & STATES.lost ? alarm : silent ? faint : strong;
  ctx.setLineDash(silent ? [1, 3] : bits & STATES.draining ? [] : [4, 2]);
  ctx.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
  ctx.setLineDash([]);
  if (!(bits & STATES.lost) || width >= 100) return;
  ctx.beginPath();
  ctx.moveTo(x + 2, y + 2);
  ctx.lineTo(x + width - 2, y + height - 2);
  ctx.moveTo(x + width - 2, y + 2);
  ctx.lineTo(x + 2, y + height - 2);
  ctx.stroke();
}

let patterns = { scheme: null };

/** "dots": nothing is known; "hatch": what is there leaves. One fill each, instead of a path a tile. */
export function pattern(ctx, name) {
  const scheme = palette();
  if (patterns.scheme !== scheme) patterns = { scheme };
  patterns[name] ??= ctx.createPattern(MAKERS[name](scheme), "repeat");
  return patterns[name];
}

const MAKERS = {
  dots: ({ "ink-3": faint }) =>
    stamp(4, (ctx) => {
      ctx.fillStyle = faint;
      ctx.fillRect(1, 2, 1, 1);
    }),
  hatch: ({ paper }) =>
    stamp(6, (ctx) => {
      ctx.strokeStyle = paper;
      ctx.lineWidth = 1.5;
      for (const at of [-6, 0, 6]) {
        ctx.moveTo(at - 1, 7);
        ctx.lineTo(at + 7, -1);
      }
      ctx.stroke();
    }),
};

function stamp(side, draw) {
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  draw(canvas.getContext("2d"));
  return canvas;
}
