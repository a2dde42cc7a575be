// The map as a PNG: what is on the screen, with what it shows written above it and what its colours mean below.
import { palette } from "./palette.js";

const [ABOVE, BELOW, PAD] = [56, 40, 16];

/** Resolves to a Blob. title, detail: two lines above; legend: [[colour or undefined, text]]. */
export function pictureOf(canvases, title, detail, legend) {
  const [first] = canvases;
  const density = window.devicePixelRatio || 1;
  const [width, height] = [first.width / density + 2 * PAD, first.height / density + ABOVE + BELOW];
  const made = Object.assign(document.createElement("canvas"), {
    width: Math.round(width * density),
    height: Math.round(height * density),
  });
  const { paper, ink, "ink-3": faint, font } = palette();
  const ctx = made.getContext("2d");
  ctx.setTransform(density, 0, 0, density, 0, 0);
  ctx.fillStyle = paper;
  ctx.fillRect(0, 0, width, height);
  ctx.fillStyle = ink;
  ctx.font = `600 16px ${font}`;
  ctx.fillText(title, PAD, 26, width - 2 * PAD);
  ctx.fillStyle = faint;
  ctx.font = `400 12px ${font}`;
  ctx.fillText(detail, PAD, 44, width - 2 * PAD);
  for (const canvas of canvases) ctx.drawImage(canvas, PAD, ABOVE, first.width / density, first.height / density);
  let x = PAD;
  for (const [colour, text] of legend) {
    const y = height - BELOW / 2;
    if (colour) {
      ctx.fillStyle = colour;
      ctx.fillRect(x, y - 6, 14, 12);
      x += text ? 20 : 14;
    }
    ctx.fillStyle = faint;
    ctx.fillText(text, x, y + 4);
    x += text ? ctx.measureText(text).width + 12 : 0;
  }
  return new Promise((resolve) => made.toBlob(resolve, "image/png"));
}

/** Hand a file to the person. */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
