// The stylesheet's colours for what is drawn on canvas, anew whenever the colour scheme changes.

const NAMES = ["ink", "ink-2", "ink-3", "sheet", "paper", "line", "line-strong", "focus", "alarm", "steel", "brass"];
const STEPS = 6;

let colours = null;
const redraws = new Set();

/** Colours by name, and ramp: six of them from little load to much. */
export function schemeColours() {
  if (!colours) {
    const style = getComputedStyle(document.documentElement);
    colours = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`)]));
    colours.ramp = Array.from({ length: STEPS }, (_, step) => style.getPropertyValue(`--ramp-${step}`));
    colours.font = style.getPropertyValue("--font");
  }
  return colours;
}

/** The ramp's colour of a share between 0 and 1; more than all is the heaviest. */
export function rampColour(share) {
  const { ramp } = schemeColours();
  return ramp[Math.min(STEPS - 1, Math.max(0, Math.floor(share * STEPS)))];
}

/** Call redraw when the colours or the density of the screen change, until forget() is called. */
export function onRepaint(redraw) {
  redraws.add(redraw);
  return () => redraws.delete(redraw);
}

function repaint() {
  colours = null;
  for (const redraw of redraws) redraw();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
matchMedia("(prefers-contrast: more)").addEventListener("change", repaint);

// The person chose another theme than the system's, or the system's again.
new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-theme"] });

/** Size a canvas to its box in real pixels; returns its context in CSS pixels, with the size in them. */
export function prepare(canvas, width, height) {
  const density = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  const ctx = canvas.getContext("2d");
  ctx.setTransform(density, 0, 0, density, 0, 0);
  return ctx;
}
