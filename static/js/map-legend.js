// What the colours and sizes of the map mean at present.
import { element } from "./map-card.js";
import { PAINTS, STEPS } from "./map-measures.js";
import { coloursOf } from "./map-painter.js";

export class Legend {
  /** list: the element whose [data-colours] is filled, or null. */
  constructor(list) {
    this.list = list;
    this.entries = [];
  }

  /** entries: [[colour or undefined, text]], as the picture writes them. */
  show(colour, size) {
    const colours = coloursOf();
    this.entries = entriesOf(colour).map(([paint, text]) => [colours[paint], text, paint]);
    const named = element("span", { textContent: `${colour.title}:` });
    const swatches = this.entries.map(([, text, paint]) => {
      const entry = element("span");
      if (paint !== null) entry.append(element("i", { className: `swatch p${paint}` }));
      entry.append(text);
      return entry;
    });
    if (!this.list) return;
    this.list.querySelector("[data-colours]").replaceChildren(named, ...swatches);
    const sized = this.list.querySelector("[data-sizes]");
    sized.hidden = size === null;
    sized.textContent = size ? `the larger, the more: ${size.title}` : "";
  }
}

function entriesOf({ name, ends, values }) {
  if (ends) {
    const ramp = Array.from({ length: STEPS }, (_, step) => [step, step === STEPS - 1 ? ends[1] : ""]);
    return [[null, ends[0]], ...ramp];
  }
  if (name === "state") return [[PAINTS.steel, "active"], [PAINTS.brass, "cordoned, draining"], [PAINTS.alarm, "lost"]];
  return values.map(([value, paint]) => [paint, value]);
}
