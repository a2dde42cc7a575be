// One panel of a host's charts: what a bar was from least to most, its p95, what is reserved, and marks of what happened.
import { STATES } from "./live.js";
import { schemeColours } from "./colours.js";
import { clock } from "./past.js";

const HEIGHT = 132;
const STRIP = 4;
/** Signs nearer together than this many pixels would cover each other: the first stands for them, the list has all. */
const SIGN = 11;
/** Tops of the scale: what is far below its capacity may fill the panel, and says so on the axis. */
const TOPS = [0.05, 0.1, 0.25, 0.5, 1, 1.25, 1.5, 2];
export const GLYPHS = { drain: "▼", cordon: "‖", uncordon: "▲", lost: "✕", found: "✓", placed: "+", released: "−", join: "★", remove: "◌" };

export function glyph(kind) {
  return GLYPHS[kind] ?? "•";
}

/**
 * A chart of one bar in a figure, synchronised with the others of key. view: {past, marks, begin, end}, read when drawn.
 * onCursor(seconds or null), onSelect(begin, end): what the pointer does.
 */
export function makePanel(uPlot, { figure, bar, key, view, onCursor, onSelect }) {
  const colour = (alpha) => getComputedStyle(figure).color.replace("rgb(", "rgba(").replace(")", `, ${alpha})`);
  const edge = { stroke: () => colour(0.5), width: 0.75, points: { show: false } };
  const options = {
    width: Math.max(figure.clientWidth - 24, 120),
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    legend: { show: false },
    padding: [10, 8, 0, 0],
    cursor: { sync: { key }, y: false, points: { size: 5 }, drag: { x: true, y: false, setScale: false } },
    scales: {
      x: { range: () => [view().begin, view().end] },
      y: { range: (chart, low, high) => [0, TOPS.find((top) => (high ?? 0) <= top) ?? high] },
    },
    axes: [
      { ...axis(), space: 64, size: 26, values: (chart, ticks) => ticks.map((at) => short(at, view())) },
      { ...axis(), size: 46, space: 28, values: (chart, ticks) => ticks.map((share) => `${+(share * 100).toFixed(1)} %`) },
    ],
    series: [
      {},
      { ...edge },
      { ...edge },
      { stroke: () => colour(1), width: 1.75, points: { show: true, size: 3, filter: alone, fill: () => colour(1) } },
      { stroke: () => schemeColours()["ink-2"], width: 1, dash: [4, 3], points: { show: false } },
    ],
    bands: [{ series: [1, 2], fill: () => colour(0.22) }],
    hooks: {
      draw: [(chart) => drawStates(chart, view().past), (chart) => drawMarks(chart, view().marks)],
      setCursor: [(chart) => onCursor(chart.cursor.left < 0 ? null : chart.posToVal(chart.cursor.left, "x"))],
      setSelect: [
        (chart) => {
          const { left, width } = chart.select;
          if (width > 4) onSelect(chart.posToVal(left, "x"), chart.posToVal(left + width, "x"));
          if (width) chart.setSelect({ left: 0, width: 0 }, false);
        },
      ],
    },
  };
  return new uPlot(options, view().past.columns(bar), figure);
}

function axis() {
  return {
    stroke: () => schemeColours()["ink-3"],
    font: `11px ${schemeColours().font}`,
    grid: { stroke: () => schemeColours().line, width: 1 },
    ticks: { show: false },
  };
}

function short(at, { begin, end }) {
  const time = clock(at);
  if (end - begin > 2 * 86_400) return clock(at, true).slice(0, 5);
  return end - begin > 1200 ? time.slice(0, 5) : time;
}

/** Points with nothing on either side, which no line would show. */
function alone(chart, series) {
  const column = chart.data[series];
  const nothing = (each) => column[each] === null || column[each] === undefined;
  return column.flatMap((share, each) => (!nothing(each) && nothing(each - 1) && nothing(each + 1) ? [each] : []));
}

/** At the foot, when the host was lost, silent, draining or cordoned: fuller is graver. */
function drawStates(chart, past) {
  const { ctx, bbox } = chart;
  const density = devicePixelRatio || 1;
  past.times.forEach((at, each) => {
    const bits = past.state[each];
    if (!bits) return;
    const grave = bits & (STATES.lost | STATES.draining);
    ctx.fillStyle = bits & STATES.lost ? schemeColours().alarm : bits & STATES.silent ? schemeColours()["ink-3"] : schemeColours()["ink-2"];
    const from = Math.max(chart.valToPos(at - past.step, "x", true), bbox.left);
    const thick = STRIP * density * (grave ? 1 : 0.5);
    ctx.fillRect(from, bbox.top + bbox.height - thick, Math.max(chart.valToPos(at, "x", true) - from, 1), thick);
  });
}

function drawMarks(chart, marks) {
  const { ctx, bbox } = chart;
  const density = devicePixelRatio || 1;
  ctx.save();
  ctx.font = `${11 * density}px ${schemeColours().font}`;
  ctx.textAlign = "center";
  let signed = -Infinity;
  for (const { seconds, kind } of marks) {
    const x = Math.round(chart.valToPos(seconds, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const quiet = kind === "placed" || kind === "released";
    ctx.fillStyle = kind === "lost" ? schemeColours().alarm : quiet ? schemeColours()["ink-3"] : schemeColours().ink;
    ctx.globalAlpha = quiet ? 0.35 : 0.75;
    ctx.fillRect(x, bbox.top, density, bbox.height);
    ctx.globalAlpha = 1;
    if (x - signed < SIGN * density) continue;
    ctx.fillText(glyph(kind), x, bbox.top - density);
    signed = x;
  }
  ctx.restore();
}
