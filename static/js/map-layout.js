// Where each host's tile lies on the map: pure geometry, no canvas, no feed.

const GROUP_GAP = 12;
const PAD = 8;
const HEADER = 28;
const NARROWEST = 184;

/** From much detail to little: with name, strip and state, without the state's word, with the strip alone, a cell of colour. */
const LEVELS = [
  { name: "card", width: 152, height: 92, gap: 8, widest: 216 },
  { name: "card", width: 116, height: 64, gap: 6, widest: 160 },
  { name: "chip", width: 60, height: 36, gap: 4, widest: 60 },
  { name: "cell", width: 30, height: 30, gap: 3, widest: 30 },
  { name: "cell", width: 22, height: 22, gap: 3, widest: 22 },
  { name: "cell", width: 16, height: 16, gap: 2, widest: 16 },
  { name: "cell", width: 9, height: 9, gap: 1, widest: 9 },
  { name: "cell", width: 7, height: 7, gap: 1, widest: 7 },
];
/** How much wider than high a group may be; the first is taken unless another saves room. */
const SHAPES = [2, 1.5, 1, 3, 5];
/** Who must scroll anyway had better see something. */
const HARDLY = 1.2;
/** Larger cells, in which what is painted can grow where its size says something. */
const GROWING = [112, 84, 64, 44].map((side) => ({ name: "cell", width: side, height: side, gap: 3, widest: side }));

/**
 * groups: [{title, rows}]; width, room: of the map, in pixels; sized: whether tiles need room to grow.
 * Returns {level, height, tileWidth, tileHeight, groups, x, y, row, slot, group}. groups: [{title, rows, first, columns, x, y,
 * width, height}]. A slot is a place, in reading order: x, y and row are by slot; slot and group are by row.
 * The first level whose map is not higher than room is taken; where none is, the first that is hardly higher than the lowest.
 */
export function layout(groups, width, room, sized) {
  const maps = [];
  for (const level of sized ? [...GROWING, ...LEVELS.filter(({ name }) => name === "cell")] : LEVELS) {
    // Tiles that fill the width look best, unless narrower ones save a line of groups.
    const ways = [true, false].flatMap((fill) => SHAPES.map((shape) => arrange(groups, level, width, fill, shape)));
    const made = ways.reduce((best, way) => (way.height < best.height ? way : best));
    if (made.height <= room) return place(made);
    maps.push(made);
  }
  const lowest = Math.min(...maps.map(({ height }) => height));
  return place(maps.find(({ height }) => height <= lowest * HARDLY));
}

function arrange(members, level, width, fill, shape) {
  const inside = width - 2 * PAD;
  const most = Math.max(1, Math.floor((inside + level.gap) / (level.width + level.gap)));
  const widest = fill ? level.widest : level.width;
  const tileWidth = Math.min(widest, Math.floor((inside + level.gap) / most - level.gap), inside);
  const groups = [];
  let [x, y, tallest, first] = [0, 0, 0, 0];
  for (const { title, rows } of members) {
    const columns = columnsOf(rows.length, most, tileWidth, level, shape);
    const filled = columns * (tileWidth + level.gap) - level.gap + 2 * PAD;
    const groupWidth = Math.min(width, Math.max(filled, Math.min(width, NARROWEST)));
    const lines = Math.ceil(rows.length / columns);
    const height = HEADER + lines * (level.height + level.gap) - level.gap + PAD;
    if (x > 0 && x + groupWidth > width) {
      [x, y, tallest] = [0, y + tallest + GROUP_GAP, 0];
    }
    groups.push({ title, rows, first, columns, x, y, width: groupWidth, height });
    first += rows.length;
    x += groupWidth + GROUP_GAP;
    tallest = Math.max(tallest, height);
  }
  return { level: level.name, gap: level.gap, tileWidth, tileHeight: level.height, height: y + tallest, groups, hosts: first };
}

/** Groups are not as wide as the map, so that several stand side by side. */
function columnsOf(count, most, tileWidth, level, shape) {
  const wide = Math.ceil(Math.sqrt((count * shape * (level.height + level.gap)) / (tileWidth + level.gap)));
  const filled = count <= 4 && level.name === "card" ? count : wide;
  return Math.max(1, Math.min(count, most, filled));
}

function place(plan) {
  const { groups, hosts, gap, tileWidth, tileHeight } = plan;
  const [x, y, row, slot, group] = [Int32Array, Int32Array, Uint32Array, Uint32Array, Uint32Array].map((Kind) => new Kind(hosts));
  groups.forEach((each, number) => {
    each.rows.forEach((host, at) => {
      const place = each.first + at;
      x[place] = each.x + PAD + (at % each.columns) * (tileWidth + gap);
      y[place] = each.y + HEADER + Math.floor(at / each.columns) * (tileHeight + gap);
      row[place] = host;
      slot[host] = place;
      group[host] = number;
    });
  });
  return { ...plan, x, y, row, slot, group };
}

/** The slot under a point, -1 for none. */
export function slotAt(plan, x, y) {
  const { gap, tileWidth, tileHeight } = plan;
  for (const { x: left, y: top, width, height, first, columns, rows } of plan.groups) {
    if (x < left || x >= left + width || y < top || y >= top + height) continue;
    const column = Math.floor((x - left - PAD) / (tileWidth + gap));
    const line = Math.floor((y - top - HEADER) / (tileHeight + gap));
    const at = line * columns + column;
    return column >= 0 && column < columns && line >= 0 && at < rows.length ? first + at : -1;
  }
  return -1;
}

/** The slot that a key leads to: the neighbour in reading order, or the nearest above or below. */
export function neighbour(plan, slot, key) {
  const last = plan.hosts - 1;
  if (key === "ArrowLeft") return Math.max(0, slot - 1);
  if (key === "ArrowRight") return Math.min(last, slot + 1);
  if (key === "Home") return 0;
  if (key === "End") return last;
  const down = key === "ArrowDown";
  let [best, least] = [slot, Infinity];
  for (let each = 0; each <= last; each += 1) {
    const step = down ? plan.y[each] - plan.y[slot] : plan.y[slot] - plan.y[each];
    if (step <= 0) continue;
    const distance = step * 4 + Math.abs(plan.x[each] - plan.x[slot]);
    if (distance < least) [best, least] = [each, distance];
  }
  return best;
}
