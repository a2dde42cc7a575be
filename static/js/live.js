// The live feed of a page: one WebSocket, a directory of hosts as text, frames of their state as bytes: a snapshot,
// then deltas. The format is written down where it is made, in console/live/frames.py.

const MAGIC = 0x53;
const SNAPSHOT = 1;
const HEADER = 16;
const UNKNOWN = 255;
const FULL = 250;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;
const ASK_AGAIN_MS = 1200;
/** Without a frame for this long the connection is said to be lost. */
export const LATE_MS = 2000;
/** Without one for this long the figures are unknown, as the server holds it with silent hosts. */
const SILENT_MS = 15_000;

export const BARS = ["cpu", "memory", "disk", "net"];
export const STATES = { cordoned: 1, draining: 2, lost: 4, silent: 8 };

/** Columns for the directory's hosts: used and reserved as four bytes a host, state and age as one. */
class Frame {
  constructor(hosts) {
    this.hosts = hosts;
    this.used = new Uint8Array(4 * hosts);
    this.reserved = new Uint8Array(4 * hosts);
    this.state = new Uint8Array(hosts);
    this.age = new Uint8Array(hosts);
    this.heardAt = new Float64Array(hosts); // on performance.now(); -Infinity = never, or long ago
  }

  /** Take rows (null for all) from columns that begin at start. */
  take(buffer, start, rows, now) {
    const count = rows ? rows.length : this.hosts;
    const at = (from, length) => new Uint8Array(buffer, start + from * count, length * count);
    const [used, reserved, state, age] = [at(0, 4), at(4, 4), at(8, 1), at(9, 1)];
    if (!rows) {
      this.used.set(used);
      this.reserved.set(reserved);
      this.state.set(state);
    }
    for (let each = 0; each < count; each += 1) {
      const row = rows ? rows[each] : each;
      this.heardAt[row] = age[each] === UNKNOWN ? -Infinity : now - age[each] * 1000;
      if (!rows) continue;
      this.state[row] = state[each];
      for (let bar = 0; bar < 4; bar += 1) {
        this.used[row * 4 + bar] = used[each * 4 + bar];
        this.reserved[row * 4 + bar] = reserved[each * 4 + bar];
      }
    }
  }

  /** All unknown, but for what states said before. */
  blank(state = this.state) {
    for (const column of [this.used, this.reserved, this.age]) column.fill(UNKNOWN);
    this.heardAt.fill(-Infinity);
    this.state.set(state.map((bits) => bits | STATES.silent));
  }

  /** Hosts that no delta names have not reported: their age is what has passed since. */
  grow(now) {
    for (let row = 0; row < this.hosts; row += 1) {
      const seconds = (now - this.heardAt[row]) / 1000;
      this.age[row] = seconds < 254.5 ? seconds : UNKNOWN;
    }
  }
}

/**
 * Events: "directory" (the hosts changed), "frame" (their state; .changed says of which rows, null for all),
 * "state" (of the connection itself).
 */
class Feed extends EventTarget {
  hosts = [];
  rows = new Map();
  frame = null;
  state = "connecting";
  #version = -1;
  #socket = null;
  #seq = 0;
  #askedAt = -Infinity;
  #tries = 0;
  /** The rows that the last frame spoke of; null for all. */
  changed = null;
  #retry = 0;
  #lastAt = performance.now();
  #held = false;

  start() {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#pause() : this.#connect()));
    setInterval(() => this.#watch(), 500);
    if (document.hidden) this.#pause();
    else this.#connect();
  }

  /**
   * Show a moment of the past instead, until release(): its hosts and its snapshot; without one all is unknown.
   * The connection stays; what comes over it is not shown.
   */
  hold(hosts = this.hosts, buffer = null) {
    this.#held = true;
    this.#say("past");
    if (hosts !== this.hosts) this.#direct({ version: -1, hosts });
    this.frame = new Frame(hosts.length);
    if (buffer) {
      const now = performance.now();
      this.frame.take(buffer, HEADER, null, now);
      this.frame.grow(now);
    } else {
      this.frame.blank();
    }
    this.#tell(null);
  }

  /** Back to now. */
  release() {
    if (!this.#held) return;
    this.#held = false;
    this.#disconnect();
    this.frame = null;
    this.#connect();
  }

  /** Milliseconds since the last frame. */
  get age() {
    return performance.now() - this.#lastAt;
  }

  #connect() {
    clearTimeout(this.#retry);
    if (this.#socket) return;
    // What is lost stays lost in words until a frame comes.
    if (this.state !== "late") this.#say("connecting");
    const url = new URL("/ws/live/", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return; // its last words, after it was let go
      if (typeof data === "string") this.#hear(JSON.parse(data));
      else if (!this.#held) this.#take(data, socket);
    };
    socket.onclose = ({ code }) => this.#closed(socket, code);
    this.#socket = socket;
  }

  /** Full jitter: after an outage, a thousand browsers must not come back in step. */
  #closed(socket, code) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    this.#version = -1;
    if (code === 4401) return this.#say("off");
    if (document.hidden) return;
    this.#say("late");
    const pause = Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#tries++);
    this.#retry = setTimeout(() => this.#connect(), pause);
  }

  #pause() {
    this.#disconnect();
    this.#say("paused");
  }

  #disconnect() {
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = null;
    this.#version = -1;
    socket?.close();
  }

  #hear(message) {
    if (message.type === "underway") this.dispatchEvent(new CustomEvent("underway", { detail: message.lines }));
    else if (!this.#held) this.#direct(message);
  }

  #direct({ version, hosts }) {
    this.#version = version;
    this.hosts = hosts;
    this.rows = new Map(hosts.map((host, row) => [host.name, row]));
    this.frame = null;
    this.changed = null;
    this.dispatchEvent(new Event("directory"));
  }

  /** A frame of another directory than ours is skipped: the new directory is on its way. */
  #take(buffer, socket) {
    const view = new DataView(buffer);
    const hosts = view.getUint32(12, true);
    if (view.getUint8(0) !== MAGIC || view.getUint32(8, true) !== this.#version || hosts !== this.hosts.length) return;
    const now = performance.now();
    const seq = view.getUint32(4, true);
    const all = view.getUint8(1) === SNAPSHOT;
    let rows = null;
    if (all) {
      this.frame = new Frame(hosts);
    } else {
      if (!this.frame || seq !== (this.#seq + 1) >>> 0) return this.#ask(socket, now);
      rows = new Uint16Array(buffer, HEADER, view.getUint16(2, true));
    }
    this.#seq = seq;
    this.frame.take(buffer, HEADER + (all ? 0 : rows.byteLength), rows, now);
    this.frame.grow(now);
    this.#tries = 0;
    this.#lastAt = now;
    this.#say("live");
    this.#tell(rows);
  }

  /** A frame was missed: what it said is not known, so all is asked for. */
  #ask(socket, now) {
    if (now - this.#askedAt < ASK_AGAIN_MS) return;
    this.#askedAt = now;
    socket.send("snapshot");
  }

  #tell(rows) {
    this.changed = rows;
    this.dispatchEvent(new Event("frame"));
  }

  #watch() {
    if (this.state !== "paused" && this.state !== "off" && this.age > LATE_MS) this.#say("late");
    else if (this.state !== "live") this.dispatchEvent(new Event("state"));
    if (this.frame && this.age > SILENT_MS && !document.hidden && !this.#held) this.#blank();
  }

  /** What is this old is unknown, and said to be. */
  #blank() {
    const { state } = this.frame;
    this.frame = new Frame(this.hosts.length);
    this.frame.blank(state);
    this.#seq = -1; // deltas go on from a snapshot only
    this.#tell(null);
  }

  #say(state) {
    this.state = this.#held && state !== "off" ? "past" : state;
    document.documentElement.dataset.line = this.state;
    this.dispatchEvent(new Event("state"));
  }

  /** One host as numbers: shares (NaN = unknown), words of its state, age in seconds (NaN = never, or long ago). */
  host(name) {
    const row = this.rows.get(name);
    if (row === undefined || !this.frame) return null;
    return this.at(row);
  }

  at(row) {
    const { used, reserved, state, age } = this.frame;
    const four = (column) => Array.from(column.subarray(row * 4, row * 4 + 4), share);
    const silent = state[row] & STATES.silent;
    return {
      used: silent ? [NaN, NaN, NaN, NaN] : four(used),
      reserved: four(reserved),
      words: words(state[row]),
      age: age[row] === UNKNOWN ? NaN : age[row],
    };
  }
}

export function share(byte) {
  return byte === UNKNOWN ? NaN : byte / FULL;
}

/** The words of a state byte, as HostSeen.words says them. */
export function words(bits) {
  const said = [];
  if (bits & STATES.draining) said.push("draining");
  else if (bits & STATES.cordoned) said.push("cordoned");
  if (bits & STATES.lost) said.push("lost");
  else if (bits & STATES.silent) said.push("silent");
  return said.length ? said : ["active"];
}

export function percent(value) {
  if (Number.isNaN(value)) return "unknown";
  const hundred = value * 100;
  return hundred >= 10 || hundred === 0 ? `${Math.round(hundred)} %` : `${hundred.toFixed(1)} %`;
}

export function ageText(seconds) {
  if (Number.isNaN(seconds)) return "over 4 min";
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

/** The same sentence as Strip.text. */
export function stripText(used, reserved) {
  const whole = (value) => (Number.isNaN(value) ? "unknown" : `${Math.round(value * 100)}%`);
  return BARS.map((bar, each) => `${bar} ${whole(used[each])} used, ${whole(reserved[each])} reserved`).join("; ");
}

/** The worst used share of four, NaN if none is known. */
export function worst(used) {
  const known = used.filter((value) => !Number.isNaN(value));
  return known.length ? Math.max(...known) : NaN;
}

/** The same of a frame's bytes, for those who ask for thousands of hosts at once. */
export function worstByte(used, row) {
  let [most, known] = [0, false];
  for (let at = row * 4; at < row * 4 + 4; at += 1) {
    if (used[at] === UNKNOWN) continue;
    known = true;
    if (used[at] > most) most = used[at];
  }
  return known ? most : UNKNOWN;
}

export { FULL, SILENT_MS, UNKNOWN };
export const feed = new Feed();
feed.start();
