// <host-charts host="web-1" src="…" marks="…">: four charts of a host's past, together, going on live.
// The range is in the page's URL. uPlot is fetched by the pages that have this element, and no others.
import { BARS, feed } from "./live.js";
import { glyph, makePanel } from "./chart-panel.js";
import { savePng } from "./chart-picture.js";
import { onRepaint } from "./colours.js";
import { Past, clock, whole } from "./past.js";

const SPANS = { "1h": 3600, "24h": 86_400, "14d": 1_209_600 };
const REDRAW_MS = 1000;
const MARKS_MS = 15_000;
const TIMEOUT_MS = 8000;
const KEYS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };

class HostCharts extends HTMLElement {
  async connectedCallback() {
    this.panel = this.closest("section");
    try {
      this.uPlot = (await import("../dist/uplot.js")).default;
    } catch {
      return this.say("The charts are not built on this console (make build). The table shows the same.");
    }
    this.marks = [];
    this.panels = new Map();
    this.panel.addEventListener("click", (event) => this.click(event));
    this.panel.querySelector("form").addEventListener("submit", (event) => this.choose(event));
    this.addEventListener("keydown", (event) => this.key(event));
    addEventListener("popstate", () => this.load());
    feed.addEventListener("frame", () => this.follow());
    onRepaint(() => this.redraw());
    new ResizeObserver(() => this.fit()).observe(this);
    setInterval(() => this.refresh(), MARKS_MS);
    await this.load();
  }

  /** The query of the page's URL: what is shown, and what a link to it shows. */
  get query() {
    const { searchParams } = new URL(location.href);
    const [begin, end] = [searchParams.get("begin"), searchParams.get("end")];
    if (begin && end) return new URLSearchParams({ begin: zoned(begin), end: zoned(end) });
    const range = searchParams.get("range");
    return new URLSearchParams({ range: range in SPANS ? range : "1h" });
  }

  go(query) {
    const url = new URL(location.href);
    url.search = query;
    history.pushState(null, "", url);
    this.load();
  }

  async load() {
    const query = this.query;
    this.span = SPANS[query.get("range")] ?? 0;
    for (const link of this.panel.querySelectorAll("[data-range]")) {
      if (link.dataset.range === query.get("range")) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    for (const link of this.panel.querySelectorAll("[data-past]")) link.search = `?${query}${link.dataset.past}`;
    const [past, marks] = await Promise.all([ask(`${this.getAttribute("src")}?${query}`), ask(`${this.getAttribute("marks")}?${query}`)]);
    if (`${query}` !== `${this.query}`) return; // another range was chosen meanwhile
    if (past === null) return this.say("No answer from the console. What was shown may be old.");
    this.say("");
    this.past = new Past(past);
    this.ahead = past.end - Date.now() / 1000;
    this.loadedAt = performance.now();
    this.take(marks);
    if (!this.panels.size) this.build();
    this.note();
    this.redraw();
  }

  /** Marks, and what is too coarse to be followed, anew; not while nobody looks. */
  async refresh() {
    if (!this.span || document.hidden || !this.past) return;
    if (!this.followed && performance.now() - this.loadedAt > this.past.step * 1000) return this.load();
    const query = `${this.query}`;
    const marks = await ask(`${this.getAttribute("marks")}?${query}`);
    if (query !== `${this.query}`) return;
    this.take(marks);
    this.redraw();
  }

  get followed() {
    return this.span && this.past?.step <= 10;
  }

  follow() {
    if (!this.followed || feed.state !== "live") return;
    const host = feed.host(this.getAttribute("host"));
    if (!host) return;
    const now = Date.now() / 1000 + this.ahead;
    this.past.follow(now, host);
    this.past.forgetBefore(now - this.span);
    if (performance.now() - (this.drawnAt ?? 0) < REDRAW_MS) return;
    this.note();
    this.redraw();
  }

  take(marks) {
    if (!marks) return;
    this.marks = marks.map((mark) => ({ ...mark, seconds: Date.parse(mark.at) / 1000 }));
    const list = this.panel.querySelector(".marks");
    const rows = this.marks.toReversed().map((mark) => {
      const [row, time, sign, link] = ["li", "time", "span", "a"].map((tag) => document.createElement(tag));
      time.dateTime = mark.at;
      time.textContent = clock(mark.seconds, true);
      sign.textContent = glyph(mark.kind);
      sign.ariaHidden = "true";
      link.href = mark.link;
      link.textContent = mark.text;
      row.append(time, " ", sign, " ", link);
      return row;
    });
    list.replaceChildren(...rows);
    this.panel.querySelector(".marks-count").textContent = rows.length;
  }

  build() {
    this.tabIndex = 0;
    this.spoken = document.createElement("output");
    this.spoken.className = "unseen";
    const figures = BARS.map((bar) => {
      const figure = document.createElement("figure");
      figure.className = `of-${bar}`;
      const caption = document.createElement("figcaption");
      const [name, said] = [document.createElement("b"), document.createElement("span")];
      name.textContent = bar;
      caption.append(name, said);
      figure.append(caption);
      return { figure, bar, said };
    });
    this.replaceChildren(...figures.map(({ figure }) => figure), this.spoken);
    for (const { figure, bar, said } of figures) {
      const chart = makePanel(this.uPlot, {
        figure,
        bar,
        key: "host",
        view: () => ({ past: this.past, marks: this.marks, begin: this.past.begin, end: this.past.end }),
        onCursor: (at) => this.point(at),
        onSelect: (begin, end) => this.zoom(begin, end),
      });
      chart.root.ariaHidden = "true"; // its caption and the table say the same
      this.panels.set(bar, { chart, said });
    }
  }

  redraw() {
    if (!this.past || !this.panels.size) return;
    this.drawnAt = performance.now();
    for (const [bar, { chart }] of this.panels) chart.setData(this.past.columns(bar));
  }

  fit() {
    for (const { chart } of this.panels.values()) {
      const width = chart.root.parentElement.clientWidth - 24;
      if (width > 0 && width !== chart.width) chart.setSize({ width, height: chart.height });
    }
  }

  /** Beside each name what it was at the cursor, else the most of the range. */
  note() {
    const each = this.at === null || this.at === undefined ? -1 : this.past.nearest(this.at);
    for (const [bar, { said }] of this.panels) {
      const text = each >= 0 ? `${clock(this.past.times[each], this.past.step > 100)} ${this.past.said(bar, each)}` : this.summary(bar);
      if (said.textContent !== text) said.textContent = text;
    }
  }

  summary(bar) {
    const most = this.past.most(bar);
    return Number.isNaN(most) ? "nothing is known of this time" : `at most ${whole(most)}`;
  }

  point(at) {
    if (at === this.at) return;
    this.at = at;
    this.note();
  }

  /** Selecting on one chart selects on all: the same stretch comes four times. */
  zoom(begin, end) {
    const query = `${new URLSearchParams({ begin: iso(begin), end: iso(Math.max(end, begin + 20)) })}`;
    if (query !== `${this.query}`) this.go(query);
  }

  key(event) {
    const move = KEYS[event.key];
    if (move === undefined || event.target !== this || !this.past?.times.length) return;
    event.preventDefault();
    const { times } = this.past;
    const from = this.at === null || this.at === undefined ? times.length : this.past.nearest(this.at);
    const each = Math.min(times.length - 1, Math.max(0, from + move));
    for (const { chart } of this.panels.values()) chart.setCursor({ left: chart.valToPos(times[each], "x"), top: 10 }, false, false);
    this.at = times[each];
    this.note();
    const near = this.marks.filter((mark) => Math.abs(mark.seconds - times[each]) <= this.past.step).map((mark) => mark.text);
    this.spoken.textContent = [clock(times[each], true), ...BARS.map((bar) => `${bar} ${this.past.said(bar, each)}`), ...near].join("; ");
  }

  click(event) {
    const link = event.target.closest("[data-range], [data-png]");
    if (!link || event.ctrlKey || event.metaKey) return;
    if (link.dataset.range) {
      event.preventDefault();
      this.go(`range=${link.dataset.range}`);
    } else if (this.past) {
      const title = `${this.getAttribute("host")}, ${clock(this.past.begin, true)} to ${clock(this.past.end, true)} UTC`;
      savePng(title, [...this.panels].map(([bar, { chart, said }]) => ({ name: bar, said: said.textContent, canvas: chart.ctx.canvas })));
    }
  }

  choose(event) {
    event.preventDefault();
    const { begin, end } = Object.fromEntries(new FormData(event.target));
    if (!begin || !end || begin >= end) return this.say("The beginning must lie before the end.");
    this.go(`${new URLSearchParams({ begin: zoned(begin), end: zoned(end) })}`);
  }

  say(text) {
    const place = this.panel.querySelector(".said");
    if (place.textContent !== text) place.textContent = text;
  }
}

/** A moment without a zone is UTC, on all pages. */
function zoned(text) {
  return /(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`;
}

function iso(seconds) {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

async function ask(url) {
  try {
    const response = await fetch(url, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(TIMEOUT_MS) });
    return response.ok && !response.redirected ? await response.json() : null;
  } catch {
    return null;
  }
}

customElements.define("host-charts", HostCharts);
