// Small tiles, many at once: above the colour of what is shown, below that of what is reserved of it. Tiles are painted by
// colour, because what costs on a canvas is to change it; state is a shape on top, never colour alone.
import { STATES } from "./live.js";
import { NO_PAINT } from "./map-measures.js";
import { Vector } from "./map-vector.js";
import { schemeColours } from "./colours.js";

// How a cell looks, in 32 bits: equal bits are equal pixels.
const [STATE_AT, HELD_AT, SIDE_AT] = [4, 8, 12];
const LONGEST = 0x7f;
/** From this side on there is room for a line of nothing between the two colours. */
const ROOMY = 16;
/** Below this side a dash or a thin cross is not seen. */
const TINY = 12;

/** paint, held: what is shown and what is reserved, as measures say it; state: the state's byte; side in pixels. */
export function cellLook(paint, held, state, side) {
  return paint | ((state & 15) << STATE_AT) | (held << HELD_AT) | (Math.min(LONGEST, side) << SIDE_AT);
}

/** Paint the first count of slots, each as its look says. */
export function paintCells(ctx, plan, colours, slots, looks, count) {
  const { x, y, tileWidth, tileHeight } = plan;
  let [seen, marked] = [0, 0];
  ctx.fillStyle = schemeColours().paper;
  for (let each = 0; each < count; each += 1) {
    const [look, slot] = [looks[each], slots[each]];
    const [paint, held] = [look & 15, (look >> HELD_AT) & 15];
    seen |= (1 << paint) | (1 << held);
    marked |= (look >> STATE_AT) & 15;
    const whole = look >> SIDE_AT === tileHeight && paint !== NO_PAINT && held !== NO_PAINT && tileHeight < ROOMY;
    if (!whole) ctx.fillRect(x[slot], y[slot], tileWidth, tileHeight);
  }
  for (let colour = 0; colour <= NO_PAINT; colour += 1) {
    if (!(seen & (1 << colour))) continue;
    ctx.fillStyle = colour === NO_PAINT ? pattern(ctx, "dots") : colours[colour];
    for (let each = 0; each < count; each += 1) {
      const [look, slot] = [looks[each], slots[each]];
      const side = look >> SIDE_AT;
      const width = side === tileHeight ? tileWidth : side;
      const [left, top, low] = [x[slot] + ((tileWidth - width) >> 1), y[slot] + ((tileHeight - side) >> 1), lower(side)];
      if ((look & 15) === colour) ctx.fillRect(left, top, width, side - low - (side >= ROOMY ? 1 : 0));
      if (((look >> HELD_AT) & 15) === colour) ctx.fillRect(left, top + side - low, width, low);
    }
  }
  if (!marked) return;
  for (let each = 0; each < count; each += 1) {
    const bits = (looks[each] >> STATE_AT) & 15;
    if (bits) markState(ctx, x[slots[each]], y[slots[each]], tileWidth, tileHeight, bits, true);
  }
}

/** How much of a side what is reserved takes. */
function lower(side) {
  return side < 5 ? 1 : Math.max(2, Math.round(side / 4));
}

/** Draining is hatched, cordoned outlined, silent a dotted edge, lost a cross. coloured: the edge lies on a colour. */
export function markState(ctx, x, y, width, height, bits, coloured = false) {
  const { "ink-2": strong, "ink-3": faint, alarm, paper } = schemeColours();
  const tiny = width < TINY;
  const [lost, silent] = [bits & STATES.lost, bits & STATES.silent];
  if (bits & STATES.draining) {
    ctx.fillStyle = pattern(ctx, "hatch");
    ctx.fillRect(x, y, width, height);
  }
  ctx.lineWidth = 1;
  if (tiny && lost) {
    ctx.fillStyle = alarm;
    ctx.fillRect(x, y, width, height);
    cross(ctx, x, y, width, height, paper);
    return;
  }
  if (coloured && !silent) {
    const thick = tiny ? 1 : 2;
    ctx.strokeStyle = paper;
    ctx.lineWidth = 2 * thick;
    ctx.strokeRect(x + thick, y + thick, width - 2 * thick, height - 2 * thick);
    ctx.lineWidth = 1;
  }
  ctx.strokeStyle = lost ? alarm : silent ? faint : strong;
  ctx.setLineDash(silent || lost ? [1, 3] : tiny || bits & STATES.draining ? [] : [4, 2]);
  ctx.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
  ctx.setLineDash([]);
  // A card says it in a word.
  if (lost && width < 100) cross(ctx, x, y, width, height, alarm);
}

function cross(ctx, x, y, width, height, colour) {
  ctx.strokeStyle = colour;
  ctx.beginPath();
  ctx.moveTo(x + 1, y + 1);
  ctx.lineTo(x + width - 1, y + height - 1);
  ctx.moveTo(x + width - 1, y + 1);
  ctx.lineTo(x + 1, y + height - 1);
  ctx.stroke();
}

const patterns = new WeakMap();

/** "dots": nothing is known; "hatch": what is there leaves. One fill each, instead of a path a tile. */
export function pattern(ctx, name) {
  const scheme = schemeColours();
  if (patterns.get(ctx)?.scheme !== scheme) patterns.set(ctx, { scheme });
  const made = patterns.get(ctx);
  made[name] ??= tile(ctx, ...TILES[name](scheme));
  return made[name];
}

/** The side of the square that is repeated, and how to draw it. */
const TILES = {
  dots: ({ "ink-3": faint }) => [
    4,
    (ctx) => {
      ctx.fillStyle = faint;
      ctx.fillRect(1, 2, 1, 1);
    },
  ],
  hatch: ({ paper }) => [
    6,
    (ctx) => {
      ctx.strokeStyle = paper;
      ctx.lineWidth = 1.5;
      for (const at of [-6, 0, 6]) {
        ctx.moveTo(at - 1, 7);
        ctx.lineTo(at + 7, -1);
      }
      ctx.stroke();
    },
  ],
};

function tile(ctx, side, draw) {
  if (ctx instanceof Vector) return ctx.tile(side, draw);
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  draw(canvas.getContext("2d"));
  return ctx.createPattern(canvas, "repeat");
}
