// A host is an element of SVG, as in most topology pages; the same feed, the same cells, the same colours.
import { feed, share, worstByte } from "/static/js/live.js";
import { layout } from "/static/js/map-layout.js";
import { groupsOf, inOrder } from "/static/js/map-groups.js";
import { rampColour } from "/static/js/colours.js";

const SVG = "http://www.w3.org/2000/svg";
const rects = [];

feed.addEventListener("directory", () => {
  const box = document.getElementById("peer");
  const plan = layout(groupsOf(feed.hosts, inOrder(feed.hosts), "zone", null), box.clientWidth, window.innerHeight - 120, false);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("width", box.clientWidth);
  svg.setAttribute("height", plan.height);
  for (let row = 0; row < plan.hosts; row += 1) {
    const rect = document.createElementNS(SVG, "rect");
    const slot = plan.slot[row];
    const at = { x: plan.x[slot], y: plan.y[slot], width: plan.tileWidth, height: plan.tileHeight };
    for (const [key, value] of Object.entries(at)) rect.setAttribute(key, value);
    rects[row] = rect;
    svg.append(rect);
  }
  box.replaceChildren(svg);
});

feed.addEventListener("frame", () => {
  for (const row of feed.changed ?? rects.keys()) {
    rects[row].setAttribute("fill", rampColour(share(worstByte(feed.frame.used, row))));
  }
  document.documentElement.dataset.painted = "yes";
  // The browser draws it when this has run.
  requestAnimationFrame(() => document.getElementById("peer").dispatchEvent(new Event("painted")));
});
