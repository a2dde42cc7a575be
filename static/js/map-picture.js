// The map as a file: what is on the screen, with what it shows written above it and what its colours mean below. As PNG the
// pixels that are there; as SVG painted once more, by the same code.
import { schemeColours } from "./colours.js";
import { drawMarks } from "./map-overlay.js";
import { Painter } from "./map-painter.js";
import { Vector } from "./map-vector.js";

const [ABOVE, BELOW, PAD] = [56, 40, 16];

/** Resolves to a Blob. words: {title, detail, legend}: two lines above, and [[colour or undefined, text]] below. */
export function pictureOf(canvases, words) {
  const [first] = canvases;
  const density = window.devicePixelRatio || 1;
  const [inner, tall] = [first.width / density, first.height / density];
  const made = Object.assign(document.createElement("canvas"), {
    width: Math.round((inner + 2 * PAD) * density),
    height: Math.round((tall + ABOVE + BELOW) * density),
  });
  const ctx = made.getContext("2d");
  ctx.setTransform(density, 0, 0, density, 0, 0);
  write(ctx, inner, tall, words);
  for (const canvas of canvases) ctx.drawImage(canvas, PAD, ABOVE, inner, tall);
  return new Promise((resolve) => made.toBlob(resolve, "image/png"));
}

/** A Blob. painter: of the map on the screen; marks: what lies above its tiles, as drawMarks takes it; words as above. */
export function vectorOf(painter, frame, width, marks, words) {
  const { plan, names, colour, size } = painter;
  const made = new Vector();
  write(made, width, plan.height, words);
  made.begin(PAD, ABOVE);
  const again = new Painter(made, plan, names, colour, size);
  again.mark(null);
  again.paint(frame, true);
  drawMarks(made, plan, ...marks);
  made.end();
  return new Blob([made.svg(width + 2 * PAD, plan.height + ABOVE + BELOW)], { type: "image/svg+xml" });
}

/** Everything around the map, which is inner wide and tall high. */
function write(ctx, inner, tall, { title, detail, legend }) {
  const { paper, ink, "ink-3": faint, font } = schemeColours();
  ctx.fillStyle = paper;
  ctx.fillRect(0, 0, inner + 2 * PAD, tall + ABOVE + BELOW);
  ctx.fillStyle = ink;
  ctx.font = `600 16px ${font}`;
  ctx.fillText(title, PAD, 26, inner);
  ctx.fillStyle = faint;
  ctx.font = `400 12px ${font}`;
  ctx.fillText(detail, PAD, 44, inner);
  let x = PAD;
  const y = tall + ABOVE + BELOW / 2;
  for (const [colour, text] of legend) {
    if (colour) {
      ctx.fillStyle = colour;
      ctx.fillRect(x, y - 6, 14, 12);
      x += text ? 20 : 14;
    }
    ctx.fillStyle = faint;
    ctx.fillText(text, x, y + 4);
    x += text ? ctx.measureText(text).width + 12 : 0;
  }
}

/** Hand a file to the person. */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
