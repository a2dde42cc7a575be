// <host-waiter src hosts>: waits for the host that uses a token, then becomes a link to it.
import { poll } from "./poll.js";

const PAUSE_MS = 1500;

class HostWaiter extends HTMLElement {
  connectedCallback() {
    poll(this.getAttribute("src"), PAUSE_MS, (answer) => answer?.host && this.found(answer.host));
  }

  found(name) {
    if (this.done) return;
    this.done = true;
    const said = document.createElement("span");
    said.className = "state succeeded";
    const link = document.createElement("a");
    link.href = `${this.getAttribute("hosts")}${encodeURIComponent(name)}/`;
    link.textContent = name;
    said.append(link, " has joined.");
    this.replaceChildren(said);
  }
}

customElements.define("host-waiter", HostWaiter);
