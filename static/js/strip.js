// The load strip, drawn in one place: on the map's tiles, in tables, in a host's head and beside candidates.
import { schemeColours, rampColour } from "./colours.js";

/**
 * Four hairline bars in the box (x, y, width, height). used: solid, reserved: outline; shares of capacity,
 * NaN = unknown, drawn as dots and never as a length; below 0 = no part of what is shown, drawn as nothing. What goes beyond the capacity ends in an arrow.
 */
export function drawStrip(ctx, { x, y, width, height }, used, reserved) {
  const { line, "ink-2": outline, "ink-3": dots } = schemeColours();
  const pitch = height / 4;
  const thick = Math.max(2, Math.min(6, Math.round(pitch - 2)));
  for (let bar = 0; bar < 4; bar += 1) {
    const top = Math.round(y + bar * pitch + (pitch - thick) / 2);
    const middle = top + thick / 2;
    if (Number.isNaN(used[bar])) {
      dotted(ctx, x, middle, width, dots);
    } else {
      ctx.fillStyle = line;
      ctx.fillRect(x, Math.round(middle), width, 1);
      if (used[bar] < 0) continue;
      ctx.fillStyle = rampColour(used[bar]);
      ctx.fillRect(x, top, Math.max(1, Math.min(1, used[bar]) * width), thick);
      if (used[bar] > 1) arrow(ctx, x + width, middle, thick);
    }
    if (reserved[bar] > 0) {
      // Only three sides: the outline opens to the left, where the bar begins.
      const end = Math.round(x + Math.min(1, reserved[bar]) * width) - 0.5;
      ctx.strokeStyle = outline;
      ctx.lineWidth = 1;
      ctx.beginPath();
      ctx.moveTo(x, top - 0.5);
      ctx.lineTo(end, top - 0.5);
      ctx.lineTo(end, top + thick + 0.5);
      ctx.lineTo(x, top + thick + 0.5);
      ctx.stroke();
    }
  }
}

function dotted(ctx, x, y, width, colour) {
  ctx.fillStyle = colour;
  for (let at = 0; at < width; at += 4) ctx.fillRect(x + at, Math.round(y), 1, 1);
}

function arrow(ctx, x, y, thick) {
  ctx.fillStyle = schemeColours().alarm;
  ctx.beginPath();
  ctx.moveTo(x - thick, y - thick);
  ctx.lineTo(x, y);
  ctx.lineTo(x - thick, y + thick);
  ctx.fill();
}
