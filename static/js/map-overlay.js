// What lies above the tiles on a canvas of its own, so that moving it costs the tiles nothing: the ring around the chosen
// host, and the links from it to the hosts that carry the same.
import { schemeColours, prepare } from "./colours.js";

/** Twice how far a link reaches below the tiles that it joins. */
const BELOW = 14;

export class Overlay {
  constructor() {
    this.canvas = Object.assign(document.createElement("canvas"), { className: "above", ariaHidden: "true" });
    this.empty = true;
  }

  /** Size it like the map. */
  fit(width, height) {
    this.canvas.style.blockSize = `${height}px`;
    this.ctx = prepare(this.canvas, width, height);
    this.empty = true;
  }

  /** ahead: the slot that keys have reached, -1 for none; chosen: the slot whose siblings are shown; siblings: their slots. */
  draw(plan, ahead, chosen, siblings) {
    if (!this.ctx || (this.empty && ahead < 0 && chosen < 0)) return;
    const { ctx } = this;
    ctx.save();
    ctx.resetTransform();
    ctx.clearRect(0, 0, this.canvas.width, this.canvas.height);
    ctx.restore();
    this.empty = ahead < 0 && chosen < 0;
    drawMarks(ctx, plan, ahead, chosen, siblings);
  }
}

/** The ring around the slot that keys have reached, around the chosen one, and its links to its siblings. */
export function drawMarks(ctx, plan, ahead, chosen, siblings) {
  const { focus, sheet } = schemeColours();
  if (chosen >= 0) {
    for (const [colour, width] of [[sheet, 3.5], [focus, 1.5]]) {
      ctx.strokeStyle = colour;
      ctx.lineWidth = width;
      for (const slot of siblings) link(ctx, plan, chosen, slot);
    }
    for (const slot of siblings) ring(ctx, plan, slot, focus, 1.5);
    ring(ctx, plan, chosen, focus, 3);
  }
  if (ahead >= 0 && ahead !== chosen) ring(ctx, plan, ahead, focus, 2);
}

function ring(ctx, { x, y, tileWidth, tileHeight }, slot, colour, width) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  ctx.strokeRect(x[slot] - 1.5, y[slot] - 1.5, tileWidth + 3, tileHeight + 3);
}

/** A curve, so that it does not run along the row: over small tiles, and below large ones, which have text above and on them. */
function link(ctx, { level, x, y, tileWidth, tileHeight }, from, to) {
  const small = level === "cell";
  const down = small ? tileHeight / 2 : tileHeight + 1;
  const [fromX, fromY] = [x[from] + tileWidth / 2, y[from] + down];
  const [toX, toY] = [x[to] + tileWidth / 2, y[to] + down];
  const bend = Math.min(80, Math.hypot(toX - fromX, toY - fromY) / 3);
  const peak = small ? Math.max(2, (fromY + toY) / 2 - bend) : Math.max(fromY, toY) + BELOW;
  ctx.beginPath();
  ctx.moveTo(fromX, fromY);
  ctx.quadraticCurveTo((fromX + toX) / 2, peak, toX, toY);
  ctx.stroke();
}
