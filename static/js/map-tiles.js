// Large tiles: a host's name, its load strip, its state in a word; and the panel around a group.
import { STATES, UNKNOWN, share } from "./live.js";
import { markState, pattern } from "./map-cells.js";
import { NO_PAINT, WORDS } from "./map-measures.js";
import { schemeColours } from "./colours.js";
import { drawStrip } from "./strip.js";

/** The same shapes as in the stylesheet's .state. */
const GLYPHS = { active: "●", cordoned: "◫", draining: "◐", lost: "✕", silent: "◌" };
const SAID = WORDS.map((words) => words.map((word) => `${GLYPHS[word]} ${word}`).join("  "));

/** From this height on a card has a line for the state's word. */
const SPOKEN = 80;

// Filled anew for every tile: drawing makes no garbage.
const used = new Float64Array(4);
const reserved = new Float64Array(4);

/** Draw the tile of one row anew. paint: what colours its band; said: its figure in words; colours: by paint. */
export function drawTile(ctx, plan, frame, row, { name, paint, said, colours }) {
  const { line, paper, sheet } = schemeColours();
  const slot = plan.slot[row];
  const [x, y, width, height] = [plan.x[slot], plan.y[slot], plan.tileWidth, plan.tileHeight];
  const [bits, large] = [frame.state[row] & 15, plan.level === "card"];
  for (let bar = 0; bar < 4; bar += 1) {
    used[bar] = share(bits & STATES.silent ? UNKNOWN : frame.used[row * 4 + bar]);
    reserved[bar] = share(frame.reserved[row * 4 + bar]);
  }
  ctx.fillStyle = paper;
  ctx.fillRect(x, y, width, height);
  ctx.fillStyle = sheet;
  ctx.fillRect(x, y, width, height);
  ctx.fillStyle = paint === NO_PAINT ? pattern(ctx, "dots") : colours[paint];
  ctx.fillRect(x, y, large ? 6 : 4, height);
  if (bits) {
    markState(ctx, x, y, width, height, bits);
  } else {
    ctx.strokeStyle = line;
    ctx.lineWidth = 1;
    ctx.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
  }
  if (large) drawCard(ctx, x, y, width, height, name, said, SAID[bits]);
  else drawStrip(ctx, { x: x + 9, y: y + 5, width: width - 15, height: height - 10 }, used, reserved);
}

function drawCard(ctx, x, y, width, height, name, said, state) {
  const { ink, "ink-2": quiet, font } = schemeColours();
  const left = x + 16;
  ctx.textBaseline = "alphabetic";
  ctx.font = `400 13px ${font}`;
  ctx.fillStyle = ink;
  const figure = fit(ctx, said, width / 2);
  const figureWidth = ctx.measureText(figure).width;
  ctx.fillText(figure, x + width - 10 - figureWidth, y + 20);
  ctx.font = `600 13px ${font}`;
  ctx.fillText(fit(ctx, name, width - 34 - figureWidth), left, y + 20);
  const spoken = height >= SPOKEN;
  drawStrip(ctx, { x: left, y: y + 29, width: width - 27, height: spoken ? 36 : 28 }, used, reserved);
  if (!spoken) return;
  ctx.font = `400 11px ${font}`;
  ctx.fillStyle = quiet;
  ctx.fillText(fit(ctx, state, width - 26), left, y + height - 10);
}

/** The panel around a group, and its title with what is said of all its hosts; ways: of saying it, the longest first. */
export function drawGroup(ctx, group, ways) {
  const { line, ink, "ink-3": faint, paper, font } = schemeColours();
  const { x, y, width, height, title } = group;
  ctx.strokeStyle = line;
  ctx.lineWidth = 1;
  ctx.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
  ctx.fillStyle = paper;
  ctx.fillRect(x + 1, y + 1, width - 2, 25);
  ctx.textBaseline = "alphabetic";
  ctx.font = `600 12px ${font}`;
  ctx.fillStyle = ink;
  // A title stays as long as its group: it is fitted once.
  group.shown ??= fit(ctx, title, width - 16);
  group.after ??= ctx.measureText(group.shown).width + 16;
  ctx.fillText(group.shown, x + 8, y + 18);
  ctx.font = `400 12px ${font}`;
  ctx.fillStyle = faint;
  const room = width - group.after - 8;
  const said = ways.find((way) => ctx.measureText(way).width <= room) ?? ways.at(-1);
  ctx.fillText(fit(ctx, said, room), x + group.after, y + 18);
}

function fit(ctx, text, width) {
  if (ctx.measureText(text).width <= width) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (ctx.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return low ? `${text.slice(0, low)}…` : "";
}
