// <live-part id src version>: a part of a page that the server draws, read again when its version is another one.
// <alert-count src>: how many alerts fire, for the navigation; nothing where none does, or where nobody knows.
import { poll } from "./poll.js";

const PAUSE_MS = 3000;

class LivePart extends HTMLElement {
  connectedCallback() {
    poll(this.getAttribute("src"), PAUSE_MS, (answer) => answer && this.see(answer.version));
  }

  async see(version) {
    if (this.getAttribute("version") === version || this.asking || !this.isConnected) return;
    this.asking = true;
    try {
      const response = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!response.ok || response.redirected) return;
      const read = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(this.id);
      if (read) this.take(read);
    } catch {
      return; // the line is down: the next look tries again
    } finally {
      this.asking = false;
    }
  }

  /** Put the new part in place; who stood on a link in it stands there still. */
  take(read) {
    const { activeElement: focus } = document;
    const href = this.contains(focus) ? focus.getAttribute("href") : null;
    this.setAttribute("version", read.getAttribute("version"));
    this.replaceChildren(...read.childNodes);
    if (href) [...this.querySelectorAll("a")].find((link) => link.getAttribute("href") === href)?.focus();
  }
}

class AlertCount extends HTMLElement {
  connectedCallback() {
    poll(this.getAttribute("src"), PAUSE_MS, (answer) => this.say(answer?.firing ?? 0));
  }

  say(firing) {
    const said = firing ? `${firing} firing` : "";
    if (this.textContent === said) return;
    const word = Object.assign(document.createElement("span"), { className: "unseen", textContent: " firing" });
    this.replaceChildren(...(firing ? [String(firing), word] : []));
    this.title = said;
  }
}

customElements.define("live-part", LivePart);
customElements.define("alert-count", AlertCount);
