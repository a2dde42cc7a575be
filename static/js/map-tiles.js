// What a host looks like on the map. State is shape and word, never colour alone; unknown is dotted.
import { percent } from "./live.js";
import { palette, rampColour } from "./palette.js";
import { drawStrip } from "./strip.js";

/** How far the ring of the chosen tile reaches beyond it. */
export const RING = 3;

/** Draw one tile anew. name: of its host; now: {used, reserved, words}; value: the share that colours it. */
export function drawTile(ctx, tile, level, name, now, value) {
  const { paper, sheet } = palette();
  const { x, y, width, height } = tile;
  ctx.fillStyle = paper;
  ctx.fillRect(x, y, width, height);
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, width, height);
  ctx.clip();
  if (level === "card" || level === "chip") {
    ctx.fillStyle = sheet;
    ctx.fillRect(x, y, width, height);
    band(ctx, x, y, level === "card" ? 6 : 4, height, value);
    if (now.words.includes("draining")) hatch(ctx, x, y, width, height);
    if (level === "card") card(ctx, tile, name, now, value);
    else drawStrip(ctx, { x: x + 9, y: y + 5, width: width - 15, height: height - 10 }, now.used, now.reserved);
  } else {
    band(ctx, x, y, width, height, value);
    if (now.words.includes("draining")) hatch(ctx, x, y, width, height);
  }
  ctx.restore();
  edge(ctx, tile, now.words);
}

function card(ctx, { x, y, width, height }, name, now, value) {
  const { ink, "ink-2": quiet, font } = palette();
  const left = x + 16;
  ctx.textBaseline = "alphabetic";
  ctx.font = `600 13px ${font}`;
  ctx.fillStyle = ink;
  const figure = percent(value);
  const figureWidth = ctx.measureText(figure).width;
  ctx.fillText(fit(ctx, name, width - 34 - figureWidth), left, y + 20);
  ctx.font = `400 13px ${font}`;
  ctx.fillText(figure, x + width - 10 - ctx.measureText(figure).width, y + 20);
  drawStrip(ctx, { x: left, y: y + 29, width: width - 27, height: 36 }, now.used, now.reserved);
  ctx.font = `400 11px ${font}`;
  ctx.fillStyle = quiet;
  ctx.fillText(now.words.map((word) => `${GLYPHS[word] ?? ""} ${word}`).join("  "), left, y + height - 10);
}

/** The same shapes as in the stylesheet's .state. */
const GLYPHS = { active: "●", cordoned: "◫", draining: "◐", lost: "✕", silent: "◌" };

/** The colour of the value; nothing is known: dots on nothing. */
function band(ctx, x, y, width, height, value) {
  if (!Number.isNaN(value)) {
    ctx.fillStyle = rampColour(value);
    ctx.fillRect(x, y, width, height);
    return;
  }
  ctx.fillStyle = palette()["ink-3"];
  for (let down = 2; down < height; down += 4) {
    for (let across = 1; across < width; across += 4) ctx.fillRect(x + across, y + down, 1, 1);
  }
}

function hatch(ctx, x, y, width, height) {
  ctx.strokeStyle = palette()["line-strong"];
  ctx.lineWidth = 1;
  ctx.globalAlpha = 0.55;
  ctx.beginPath();
  for (let across = -height; across < width; across += 7) {
    ctx.moveTo(x + across, y + height);
    ctx.lineTo(x + across + height, y);
  }
  ctx.stroke();
  ctx.globalAlpha = 1;
}

/** The ring around the tile that the keys have chosen, and taking it away again; what lay under it is drawn anew. */
export function drawRing(ctx, { x, y, width, height }) {
  ctx.strokeStyle = palette().focus;
  ctx.lineWidth = 2;
  ctx.strokeRect(x - 1.5, y - 1.5, width + 3, height + 3);
}

export function eraseRing(ctx, { x, y, width, height }) {
  ctx.fillStyle = palette().paper;
  ctx.fillRect(x - RING, y - RING, width + 2 * RING, height + 2 * RING);
}

function edge(ctx, { x, y, width, height }, words) {
  const { line, "ink-2": strong, "ink-3": faint, alarm } = palette();
  const known = words[0] === "active";
  // A cell is too small to lose two pixels to a line that says nothing.
  if (known && width < 40) return;
  ctx.lineWidth = 1;
  ctx.strokeStyle = known ? line : words.includes("lost") ? alarm : words.includes("silent") ? faint : strong;
  ctx.setLineDash(words.includes("silent") ? [1, 3] : words.includes("cordoned") ? [5, 3] : []);
  ctx.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
  ctx.setLineDash([]);
  if (words.includes("lost") && width < 100) {
    ctx.beginPath();
    ctx.moveTo(x + 2, y + 2);
    ctx.lineTo(x + width - 2, y + height - 2);
    ctx.moveTo(x + width - 2, y + 2);
    ctx.lineTo(x + 2, y + height - 2);
    ctx.stroke();
  }
}

/** The panel around a group, and its title with the worst host's share. */
export function drawGroup(ctx, group, said) {
  const { line, ink, "ink-3": faint, paper, font } = palette();
  const { x, y, width, height, title } = group;
  ctx.strokeStyle = line;
  ctx.lineWidth = 1;
  ctx.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
  ctx.fillStyle = paper;
  ctx.fillRect(x + 1, y + 1, width - 2, 23);
  ctx.textBaseline = "alphabetic";
  ctx.font = `600 12px ${font}`;
  ctx.fillStyle = ink;
  const shown = fit(ctx, title, width - 16);
  ctx.fillText(shown, x + 8, y + 18);
  const after = ctx.measureText(shown).width + 16;
  ctx.font = `400 12px ${font}`;
  ctx.fillStyle = faint;
  ctx.fillText(fit(ctx, said, width - after - 8), x + after, y + 18);
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
