// <time-scrubber>: the page's live figures at a moment of the past, and back. The moment is in the page's URL (?t=).
import { feed } from "./live.js";
import { around, clusterOver, frameAt, iso } from "./moments.js";
import { clock } from "./past.js";
import { Track } from "./scrub-track.js";

const RANGES = { "1h": [3600, 10], "24h": [86_400, 120], "14d": [1_209_600, 1800] };
const KEYS = { ",": -1, ".": 1, "<": -10, ">": 10 };
const INSET = 8;
const RENEW_MS = 30_000;
const SETTLED_MS = 250;
const AFTER_G_MS = 1500;
/** A host's charts, come to from a moment, show so much before and after it. */
const AROUND_S = 900;

class TimeScrubber extends HTMLElement {
  connectedCallback() {
    this.input = this.querySelector("input[type=range]");
    this.form = this.querySelector("form");
    this.track = new Track(this.querySelector("canvas"), INSET);
    [this.at, this.range] = [null, "1h"];
    this.input.addEventListener("input", () => this.go(this.input.valueAsNumber));
    this.addEventListener("click", (event) => this.click(event));
    this.querySelector("select").addEventListener("change", (event) => this.choose(event.target.value));
    this.form.addEventListener("submit", (event) => this.enter(event));
    document.addEventListener("keydown", (event) => this.key(event));
    // A list that is filtered while it shows the past goes on showing it.
    document.addEventListener("formdata", ({ formData }) => this.at !== null && formData.set("t", iso(this.at)));
    document.addEventListener("click", (event) => this.follow(event), { capture: true });
    addEventListener("popstate", () => this.read());
    setInterval(() => this.at === null && !document.hidden && this.renew(), RENEW_MS);
    this.read();
  }

  /** Where the page's URL says. */
  read() {
    const at = Date.parse(new URL(location.href).searchParams.get("t") ?? "") / 1000;
    const back = Date.now() / 1000 - at;
    if (!(back > 0)) return this.live();
    this.range = Object.keys(RANGES).find((name) => back < RANGES[name][0]) ?? "14d";
    this.querySelector("select").value = this.range;
    feed.hold();
    this.renew(at);
    this.go(at);
  }

  choose(range) {
    this.range = range;
    this.renew(this.at ?? undefined);
  }

  /** The range up to now, and what the cluster was over it. */
  async renew(at) {
    const [length, step] = RANGES[this.range];
    this.end = Math.floor(Date.now() / 1000 / step) * step;
    this.begin = this.end - length;
    [this.input.min, this.input.max, this.input.step] = [this.begin, this.end, step];
    this.input.value = at ?? this.end;
    const range = this.range;
    const series = await clusterOver(range).catch(() => null);
    if (range === this.range) this.track.show(series, this.begin, this.end);
  }

  /** Show a moment, as soon as its answer is there; a newer wish ends an older one. */
  async go(seconds) {
    const step = RANGES[this.range][1];
    const at = Math.min(Math.max(Math.floor(seconds), this.begin), this.end);
    if (seconds > this.end + step) return this.live();
    this.asked?.abort();
    this.asked = new AbortController();
    const { signal } = this.asked;
    this.at = at;
    this.input.value = at;
    this.say(clock(at, true), "asking…");
    const url = new URL(location.href);
    url.searchParams.set("t", iso(at));
    history.replaceState(null, "", url);
    try {
      const found = await frameAt(at, signal);
      if (signal.aborted) return;
      feed.hold(found?.hosts, found?.buffer);
      this.say(clock(found?.at ?? at, true), found ? this.ago(found.at) : "nothing is kept of this time");
    } catch {
      if (signal.aborted) return;
      feed.hold();
      this.say(clock(at, true), "no answer from the console");
    }
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.tell(at, signal), SETTLED_MS);
  }

  /** What was done and decided around the moment, once the hand rests. */
  async tell(at, signal) {
    const within = Math.max(60, RANGES[this.range][1]);
    const found = await around(at, within, signal).catch(() => null);
    if (signal.aborted || this.at === null) return;
    const box = this.querySelector(".around");
    box.hidden = false;
    for (const kind of ["events", "decisions"]) {
      const list = box.querySelector(`[data-list=${kind}]`);
      const lines = found?.[kind].map((line) => this.line(line, at)) ?? [];
      if (!found) lines.push(item("They could not be read."));
      else if (!lines.length) lines.push(item(`None within ${within < 120 ? `${within} s` : `${within / 60} min`}.`));
      if (found?.[`${kind}_more`]) lines.push(item("There are more, further from the moment."));
      list.replaceChildren(...lines);
    }
  }

  line({ at, text, link, kind }, moment) {
    const row = item("");
    const seconds = Date.parse(at) / 1000;
    const time = document.createElement("time");
    time.dateTime = at;
    time.textContent = clock(seconds);
    const said = document.createElement(link ? "a" : "span");
    if (link) said.href = link;
    said.textContent = text;
    row.append(time, " ", said);
    if (seconds > moment) row.className = "later";
    if (kind === "refused") row.classList.add("refused");
    return row;
  }

  live() {
    this.asked?.abort();
    clearTimeout(this.settling);
    this.at = null;
    const url = new URL(location.href);
    if (url.searchParams.has("t")) {
      url.searchParams.delete("t");
      history.replaceState(null, "", url);
    }
    this.querySelector(".around").hidden = true;
    this.say("Live", "");
    feed.release();
    this.renew();
  }

  click(event) {
    const button = event.target.closest("[data-step], [data-live]");
    if (!button) return;
    if (button.dataset.step) this.move(Number(button.dataset.step));
    else this.live();
  }

  /** From the past one goes to the same time: on the map, the hosts, or the charts of one host. */
  follow({ target }) {
    const link = this.at !== null && target instanceof Element ? target.closest("a[href]") : null;
    if (!link || this.contains(link) || link.origin !== location.origin) return;
    const url = new URL(link.href);
    if (url.pathname === "/" || url.pathname === "/hosts/") url.searchParams.set("t", iso(this.at));
    else if (/^\/hosts\/[^/]+\/$/.test(url.pathname) && url.pathname !== "/hosts/add/") {
      url.searchParams.set("begin", iso(this.at - AROUND_S));
      url.searchParams.set("end", iso(this.at + AROUND_S));
    } else return;
    link.href = url;
  }

  move(steps) {
    const step = RANGES[this.range][1];
    const from = this.at ?? this.end;
    if (this.at === null && steps > 0) return;
    this.go(from + steps * step);
  }

  key(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (target instanceof Element && target !== this.input && target.closest("input, textarea, select")) return;
    if (document.querySelector(".frame")?.dataset.keys === "off") return;
    if (key === "g") this.afterG = performance.now() + AFTER_G_MS;
    else if (performance.now() < (this.afterG ?? 0)) this.afterG = 0;
    else if (key in KEYS) this.move(KEYS[key]);
    else if (key === "l" && this.at !== null) this.live();
    else return;
    if (key !== "g") event.preventDefault();
  }

  enter(event) {
    event.preventDefault();
    const { moment } = Object.fromEntries(new FormData(this.form));
    const at = Date.parse(`${moment}Z`) / 1000;
    const back = Date.now() / 1000 - at;
    if (!(back > 0)) return this.say("Live", "that is no moment of the past");
    const range = Object.keys(RANGES).find((name) => back < RANGES[name][0]);
    if (!range) return this.say(this.at === null ? "Live" : clock(this.at, true), "kept are 14 days at most");
    if (RANGES[this.range][0] < back) {
      this.range = range;
      this.querySelector("select").value = range;
    }
    this.renew(at);
    this.go(at);
  }

  ago(at) {
    const seconds = Date.now() / 1000 - at;
    if (seconds < 120) return `${Math.round(seconds)} s ago`;
    return seconds < 7200 ? `${Math.round(seconds / 60)} min ago` : `${(seconds / 3600).toFixed(1)} h ago`;
  }

  say(moment, note) {
    const past = this.at !== null;
    this.toggleAttribute("past", past);
    this.querySelector("[data-live]").setAttribute("aria-pressed", String(!past));
    this.querySelector("[data-moment]").textContent = past ? `${moment} UTC` : "";
    this.querySelector("[data-note]").textContent = note;
    this.input.setAttribute("aria-valuetext", past ? `${moment} UTC, ${note}` : "live");
    if (past) this.form.elements.moment.value = iso(this.at).slice(0, 19);
    for (const button of this.querySelectorAll("[data-step]")) button.disabled = !past && Number(button.dataset.step) > 0;
  }
}

function item(text) {
  const made = document.createElement("li");
  made.textContent = text;
  return made;
}

customElements.define("time-scrubber", TimeScrubber);
