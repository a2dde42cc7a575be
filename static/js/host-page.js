// One host's page: exact figures and the last minutes, polled while the page is open.
import { onRepaint, schemeColours, prepare, rampColour } from "./colours.js";
import { poll } from "./poll.js";

const PAUSE_MS = 2000;
const SPAN_S = 300;
/** Longer without a report than this is a gap in the line, not a slope: three keepalives. */
const GAP_S = 15;

class HostFigures extends HTMLElement {
  connectedCallback() {
    this.missed = 0;
    poll(this.getAttribute("src"), PAUSE_MS, (answer) => this.take(answer));
  }

  take(answer) {
    this.missed = answer ? 0 : this.missed + 1;
    if (!answer && this.missed < 3) return;
    for (const row of this.querySelectorAll("[data-resource]")) {
      const line = answer?.lines[row.dataset.resource];
      for (const cell of row.querySelectorAll("[data-show]")) cell.textContent = line ? line[cell.dataset.show] : "unknown";
      const [used, reserved] = line?.parts ?? [0, 0];
      row.querySelector(".used").setAttribute("width", clamp(used) * 100);
      row.querySelector(".mark").setAttribute("x", clamp(reserved) * 99.2);
    }
  }
}

/** A host on its way out: where it stands, as the ledger says; only what was answered is shown as done. */
class HostLeaving extends HTMLElement {
  connectedCallback() {
    poll(this.getAttribute("src"), PAUSE_MS, (answer) => answer && this.take(answer));
  }

  take({ steps, left }) {
    this.hidden = !steps;
    if (!steps) return;
    const items = this.querySelectorAll("li");
    steps.forEach(({ label, when }, number) => {
      const item = items[number];
      if (item.textContent !== label) item.textContent = label;
      item.className = when;
      if (when === "now") item.ariaCurrent = "step";
      else item.removeAttribute("aria-current");
    });
    const said = this.querySelector("[data-show=left]");
    if (said.textContent !== left) said.textContent = left;
  }
}

/** The question before a drain: asked of the server when it is put, never guessed. */
class DrainPreview extends HTMLElement {
  connectedCallback() {
    const dialog = this.closest("dialog");
    new MutationObserver(() => dialog.open && this.ask()).observe(dialog, { attributeFilter: ["open"] });
  }

  async ask() {
    const status = this.querySelector("[role=status]");
    const link = this.querySelector("a");
    const list = this.querySelector("ul") ?? document.createElement("ul");
    list.className = "points preview";
    status.replaceChildren("Asking what would move where… ", link);
    try {
      const response = await fetch(this.getAttribute("src"), { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(8000) });
      if (!response.ok || response.redirected) throw new Error(String(response.status));
      const { sentence, moves, moves_more, stranded, stranded_more } = await response.json();
      const lines = moves.map(({ name, target }) => `${name} would go to ${target}`);
      if (moves_more) lines.push(`and ${moves_more} more`);
      for (const { name, reason } of stranded) lines.push(`${name} has no place: ${reason}`);
      if (stranded_more) lines.push(`and ${stranded_more} more without a place`);
      list.replaceChildren(
        ...lines.map((line) => {
          const item = document.createElement("li");
          item.textContent = line;
          return item;
        }),
      );
      status.replaceChildren(`If all of it were placed anew: ${sentence} `, link);
      this.append(list);
    } catch {
      status.replaceChildren("What would move where is not known: no answer came. ", link);
    }
    link.textContent = "Look at the whole plan";
  }
}

/** One small chart a resource: the used share over the last minutes; highest and latest in words. */
class HostHistory extends HTMLElement {
  connectedCallback() {
    this.charts = new Map();
    this.forget = onRepaint(() => this.drawAll());
    this.resize = new ResizeObserver(() => this.drawAll());
    this.resize.observe(this);
    poll(this.getAttribute("src"), PAUSE_MS, (answer) => answer && this.take(answer));
  }

  disconnectedCallback() {
    this.forget();
    this.resize.disconnect();
  }

  take(answer) {
    this.answer = answer;
    const names = Object.keys(answer.lines).filter((name) => answer.lines[name].parts[1] !== null);
    if (names.join() !== [...this.charts.keys()].join()) this.build(names);
    this.drawAll();
  }

  build(names) {
    this.charts = new Map(
      names.map((name) => {
        const figure = document.createElement("figure");
        const caption = document.createElement("figcaption");
        const title = document.createElement("b");
        const said = document.createElement("span");
        const canvas = document.createElement("canvas");
        title.textContent = name;
        canvas.ariaHidden = "true";
        caption.append(title, said);
        figure.append(caption, canvas);
        return [name, { figure, said, canvas }];
      }),
    );
    this.replaceChildren(...[...this.charts.values()].map((chart) => chart.figure));
  }

  drawAll() {
    if (!this.answer) return;
    for (const [name, chart] of this.charts) {
      const points = this.answer.history.filter(([age, used]) => age <= SPAN_S && used[name] !== undefined);
      const values = points.map(([age, used]) => [age, used[name]]);
      const top = values.length ? Math.max(...values.map(([, value]) => value)) : NaN;
      chart.said.textContent = values.length ? `highest ${(top * 100).toFixed(1)} % in ${SPAN_S / 60} min` : "no report yet";
      this.draw(chart.canvas, values, this.answer.lines[name].parts[1]);
    }
  }

  draw(canvas, values, reserved) {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width) return;
    const ctx = prepare(canvas, width, height);
    const { line, "ink-3": faint, "ink-2": mark } = schemeColours();
    const x = (age) => width - (age / SPAN_S) * width;
    const y = (share) => height - 1 - Math.min(1, share) * (height - 4);
    ctx.fillStyle = line;
    ctx.fillRect(0, height - 1, width, 1);
    ctx.fillRect(0, y(1), width, 1);
    ctx.font = `10px ${schemeColours().font}`;
    ctx.fillStyle = faint;
    ctx.fillText("100 %", 0, y(1) + 11);
    if (reserved > 0) {
      ctx.strokeStyle = mark;
      ctx.setLineDash([4, 3]);
      ctx.beginPath();
      ctx.moveTo(0, y(reserved) + 0.5);
      ctx.lineTo(width, y(reserved) + 0.5);
      ctx.stroke();
      ctx.setLineDash([]);
    }
    ctx.lineWidth = 1.5;
    for (const run of runs(values)) {
      ctx.strokeStyle = rampColour(0.75);
      ctx.beginPath();
      for (const [age, value] of run) ctx.lineTo(x(age), y(value));
      if (run.length === 1) ctx.lineTo(x(run[0][0]) + 2, y(run[0][1]));
      ctx.stroke();
    }
  }
}

/** Stretches of [age, value] without a gap between them. */
function runs(values) {
  const found = [];
  let last = Infinity;
  for (const point of values) {
    if (last - point[0] > GAP_S) found.push([]);
    found.at(-1).push(point);
    [last] = point;
  }
  return found;
}

function clamp(share) {
  return Math.min(1, Math.max(0, share ?? 0));
}

customElements.define("host-figures", HostFigures);
customElements.define("host-history", HostHistory);
customElements.define("drain-preview", DrainPreview);
customElements.define("host-leaving", HostLeaving);
