// <load-strip used="0.42,0.1,,0.2" reserved="…" [host="web-1"]><span>the same as text</span></load-strip>
// An empty share is unknown; "-" is a bar that is no part of what is shown.
// With host, it follows the live feed; the text follows too, for readers that do not see the bars.
import { feed, stripText } from "./live.js";
import { onRepaint, prepare } from "./colours.js";
import { drawStrip } from "./strip.js";

const NOT_THERE = { used: Array(4).fill(NaN), reserved: Array(4).fill(NaN) };

class LoadStrip extends HTMLElement {
  connectedCallback() {
    this.used = numbers(this.getAttribute("used"));
    this.reserved = numbers(this.getAttribute("reserved"));
    this.canvas = this.canvas ?? this.#makeCanvas();
    this.forget = onRepaint(() => this.draw());
    this.resize = new ResizeObserver(() => this.draw());
    this.resize.observe(this);
    if (this.hasAttribute("host")) feed.addEventListener("frame", this);
  }

  disconnectedCallback() {
    this.forget();
    this.resize.disconnect();
    feed.removeEventListener("frame", this);
  }

  handleEvent() {
    const now = feed.host(this.getAttribute("host")) ?? (feed.state === "past" ? NOT_THERE : null);
    if (!now || (same(now.used, this.used) && same(now.reserved, this.reserved))) return;
    [this.used, this.reserved] = [now.used, now.reserved];
    this.querySelector("span").textContent = stripText(now.used, now.reserved);
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this;
    if (!width || !height) return;
    const ctx = prepare(this.canvas, width, height);
    drawStrip(ctx, { x: 0, y: 0, width: width - 1, height }, this.used, this.reserved);
  }

  #makeCanvas() {
    const canvas = document.createElement("canvas");
    canvas.ariaHidden = "true";
    this.append(canvas);
    return canvas;
  }
}

function numbers(text) {
  const parts = (text ?? "").split(",");
  return Array.from({ length: 4 }, (_, each) => (parts[each] === "-" ? -1 : parts[each] ? Number(parts[each]) : NaN));
}

function same(a, b) {
  return a.every((value, each) => Object.is(value, b[each]));
}

customElements.define("load-strip", LoadStrip);
