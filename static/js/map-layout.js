// Where each host's tile lies on the map: pure geometry, no canvas, no feed.

const GROUP_GAP = 12;
const PAD = 8;
const HEADER = 28;

/** From much detail to little: with name and strip, with the strip alone, a cell of colour. */
export const LEVELS = [
  { name: "card", width: 152, height: 92, gap: 8, widest: 216 },
  { name: "chip", width: 60, height: 36, gap: 4, widest: 60 },
  { name: "cell", width: 16, height: 16, gap: 2, widest: 16 },
  { name: "dot", width: 9, height: 9, gap: 1, widest: 9 },
];

/** A name that no label can have, for hosts without the label. */
const NONE = "\u0000";

/**
 * hosts: [{name, labels}] in the feed's order; label: to group by, "" for one group.
 * Returns {level, height, groups: [{title, rows, x, y, width, height}], tiles: [{row, x, y, width, height, group}]},
 * the tiles in reading order. The first level whose map is not higher than room is taken, else the last.
 */
export function layout(hosts, label, width, room) {
  const members = groupsOf(hosts, label);
  let made = null;
  for (const level of LEVELS) {
    // Tiles that fill the width look best, unless narrower ones save a line of groups.
    const [filling, narrow] = [true, false].map((fill) => place(members, level, width, fill));
    made = narrow.height < filling.height ? narrow : filling;
    if (made.height <= room) break;
  }
  return made;
}

function groupsOf(hosts, label) {
  const found = new Map();
  hosts.forEach((host, row) => {
    const value = label ? (host.labels[label] ?? NONE) : "";
    if (!found.has(value)) found.set(value, []);
    found.get(value).push(row);
  });
  const byName = (a, b) => (hosts[a].name < hosts[b].name ? -1 : 1);
  return [...found.entries()]
    .sort(([a], [b]) => (a === NONE) - (b === NONE) || (a < b ? -1 : 1))
    .map(([value, rows]) => ({ title: title(label, value), rows: rows.sort(byName) }));
}

function title(label, value) {
  if (!label) return "All hosts";
  return value === NONE ? `without ${label}` : `${label} ${value}`;
}

function place(members, level, width, fill) {
  const inside = width - 2 * PAD;
  const most = Math.max(1, Math.floor((inside + level.gap) / (level.width + level.gap)));
  const widest = fill ? level.widest : level.width;
  const tileWidth = Math.min(widest, Math.floor((inside + level.gap) / most - level.gap), inside);
  const groups = [];
  const tiles = [];
  let [x, y, tallest] = [0, 0, 0];
  for (const { title: said, rows } of members) {
    const columns = columnsOf(rows.length, most, tileWidth, level);
    const groupWidth = Math.min(width, Math.max(columns * (tileWidth + level.gap) - level.gap + 2 * PAD, Math.min(width, 184)));
    const lines = Math.ceil(rows.length / columns);
    const groupHeight = HEADER + lines * (level.height + level.gap) - level.gap + PAD;
    if (x > 0 && x + groupWidth > width) {
      [x, y, tallest] = [0, y + tallest + GROUP_GAP, 0];
    }
    const group = groups.length;
    groups.push({ title: said, rows, x, y, width: groupWidth, height: groupHeight });
    rows.forEach((row, number) => {
      tiles.push({
        row,
        group,
        x: x + PAD + (number % columns) * (tileWidth + level.gap),
        y: y + HEADER + Math.floor(number / columns) * (level.height + level.gap),
        width: tileWidth,
        height: level.height,
      });
    });
    x += groupWidth + GROUP_GAP;
    tallest = Math.max(tallest, groupHeight);
  }
  return { level: level.name, height: y + tallest, groups, tiles };
}

/** A group is about twice as wide as high, so that several stand side by side. */
function columnsOf(count, most, tileWidth, level) {
  const wide = Math.ceil(Math.sqrt((count * 2 * (level.height + level.gap)) / (tileWidth + level.gap)));
  const filled = count <= 4 && level.name === "card" ? count : wide;
  return Math.max(1, Math.min(count, most, filled));
}

/** The tile that an arrow key leads to from tiles[index]: the neighbour in reading order, or the nearest above or below. */
export function neighbour(tiles, index, key) {
  const here = tiles[index];
  if (key === "ArrowLeft") return Math.max(0, index - 1);
  if (key === "ArrowRight") return Math.min(tiles.length - 1, index + 1);
  if (key === "Home") return 0;
  if (key === "End") return tiles.length - 1;
  const down = key === "ArrowDown";
  let [best, least] = [index, Infinity];
  tiles.forEach((tile, each) => {
    const step = down ? tile.y - here.y : here.y - tile.y;
    if (step <= 0) return;
    const distance = step * 4 + Math.abs(tile.x - here.x);
    if (distance < least) [best, least] = [each, distance];
  });
  return best;
}
