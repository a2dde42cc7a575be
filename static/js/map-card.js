// The card beside a host's tile: everything the map knows of it, in words. Pointed at it only says; chosen it also links.
import { BARS, ageText, percent } from "./live.js";

export class Card {
  constructor() {
    this.box = element("div", { className: "card", hidden: true });
    this.shown = "";
  }

  hide() {
    this.box.hidden = true;
    this.shown = "";
  }

  /** host: of the directory; now: feed.at(row); shared: what it carries with others, null if that was not asked. */
  show(host, now, shared, path) {
    const said = JSON.stringify([host.name, now, shared]);
    this.box.hidden = false;
    if (this.shown === said) return;
    this.shown = said;
    // What is said here, the live region says too; only links must be reached.
    this.box.ariaHidden = shared ? null : "true";
    this.box.role = shared ? "group" : null;
    this.box.ariaLabel = shared ? `The chosen host ${host.name}` : null;
    this.box.classList.toggle("chosen", shared !== null);
    const labels = Object.entries(host.labels).map(([key, value]) => `${key}=${value}`);
    this.box.replaceChildren(
      element("strong", { textContent: host.name }),
      ...now.words.map((word) => element("span", { className: `state ${word}`, textContent: word })),
      table(now),
      element("div", { className: "faint", textContent: `${host.address}, report ${ageText(now.age)} old` }),
      element("div", { className: "faint", textContent: labels.join(" ") }),
      ...(shared ? carried(host, shared, path) : []),
    );
  }

  /** Beside the tile, inside the map; below it where there is room on the screen, else above. */
  put({ x, y, tileWidth, tileHeight }, slot, width, top) {
    const left = Math.max(0, Math.min(x[slot], width - this.box.offsetWidth));
    const below = y[slot] + tileHeight + 8;
    const above = y[slot] - this.box.offsetHeight - 8;
    const fits = top + below + this.box.offsetHeight < window.innerHeight || top + above < 0;
    this.box.style.transform = `translate(${left}px, ${fits ? below : above}px)`;
  }
}

function table(now) {
  const head = element("tr", { className: "faint" });
  const heads = ["resource", "used", "reserved"].map((text) => element("th", { textContent: text, scope: "col" }));
  head.append(...heads);
  const made = element("table");
  made.append(head, ...BARS.map((bar, each) => line(bar, percent(now.used[each]), percent(now.reserved[each]))));
  return made;
}

function line(bar, used, reserved) {
  const row = element("tr");
  row.append(element("th", { textContent: bar, scope: "row" }), element("td", { textContent: used }), element("td", { textContent: reserved }));
  return row;
}

function carried(host, shared, path) {
  const list = element("ul");
  list.append(
    ...shared.map(({ kind, name, url, hosts, more }) => {
      const item = element("li");
      item.append(
        `${kind} `,
        url ? element("a", { href: url, textContent: name }) : element("b", { textContent: name }),
        ` ${alike(hosts.length + more)}`,
      );
      return item;
    }),
  );
  const open = element("a", { className: "button small", href: path, textContent: `Open ${host.name}` });
  return [shared.length ? list : element("p", { className: "faint", textContent: "Carries nothing at present." }), open];
}

/** With how many hosts something is shared, in words. */
export function alike(others) {
  return others ? `with ${others} other ${others === 1 ? "host" : "hosts"}` : "here alone";
}

export function element(tag, properties = {}) {
  return Object.assign(document.createElement(tag), properties);
}
