// Small elements that follow the live feed: the indicator of the feed itself, a host's state, age and worst share.
import { BARS, ageText, feed, percent, worst } from "./live.js";

class LiveIndicator extends HTMLElement {
  connectedCallback() {
    feed.addEventListener("state", this);
    this.handleEvent();
  }

  disconnectedCallback() {
    feed.removeEventListener("state", this);
  }

  handleEvent() {
    const { state } = feed;
    const seconds = Math.round(feed.age / 1000);
    const said = {
      live: "Live",
      late: `No connection for ${seconds} s`,
      connecting: "Connecting…",
      paused: "Paused",
      off: "Logged out: reload",
      past: "The past",
    }[state];
    // A live region speaks on every change: only real ones.
    if (this.getAttribute("state") !== state) this.setAttribute("state", state);
    if (this.textContent !== said) this.textContent = said;
  }
}

/** Base of elements that show one figure of one host, named by their host attribute. */
class OfHost extends HTMLElement {
  connectedCallback() {
    feed.addEventListener("frame", this);
  }

  disconnectedCallback() {
    feed.removeEventListener("frame", this);
  }

  handleEvent() {
    const now = feed.host(this.getAttribute("host"));
    if (now) this.show(now);
    else if (feed.state === "past") this.text(feed.hosts.length ? "not there" : "unknown");
  }

  text(said) {
    this.said = said;
    if (this.textContent !== said) this.textContent = said;
  }
}

class LiveAge extends OfHost {
  show({ age }) {
    this.text(ageText(age));
  }
}

class LiveWorst extends OfHost {
  show({ used }) {
    this.text(percent(worst(used)));
  }
}

/** of: the bar whose used share it shows, or bar_reserved. */
class LiveShare extends OfHost {
  show({ used, reserved }) {
    const [bar, kind] = this.getAttribute("of").split("_");
    this.text(percent((kind ? reserved : used)[BARS.indexOf(bar)]));
  }
}

class LiveState extends OfHost {
  show({ words }) {
    const said = words.join(" ");
    if (this.said === said) return;
    this.said = said;
    const spans = words.map((word) => {
      const span = document.createElement("span");
      span.className = `state ${word}`;
      span.textContent = word;
      return span;
    });
    this.replaceChildren(...spans.flatMap((span) => [span, " "]));
  }
}

/** The map's numbers of hosts by state, as fleet.views.state_counts counts them. */
function count() {
  const list = document.getElementById("counts");
  if (!list || !feed.frame) return;
  const found = { active: 0, cordoned: 0, draining: 0, lost: 0, silent: 0 };
  for (const bits of feed.frame.state) {
    found[bits & 2 ? "draining" : bits & 1 ? "cordoned" : "active"] += 1;
    if (bits & 4) found.lost += 1;
    if (bits & 8) found.silent += 1;
  }
  for (const link of list.querySelectorAll("a")) {
    const number = found[link.dataset.state];
    const shown = link.querySelector("b");
    link.hidden = number === 0 && link.dataset.state !== "active";
    if (shown.textContent !== String(number)) shown.textContent = number;
  }
}

feed.addEventListener("frame", count);
customElements.define("live-indicator", LiveIndicator);
customElements.define("live-age", LiveAge);
customElements.define("live-worst", LiveWorst);
customElements.define("live-share", LiveShare);
customElements.define("live-state", LiveState);
