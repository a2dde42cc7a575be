// A drawing surface that writes SVG: as much of a canvas's context as the map is painted with, so that what is saved is
// painted by the same code as what is seen.

const XML = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };
/** Characters that no XML document may have. */
const FORBIDDEN = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;

export class Vector {
  fillStyle = "#000";
  strokeStyle = "#000";
  lineWidth = 1;
  font = "12px sans-serif";
  textBaseline = "alphabetic";
  #ruler = document.createElement("canvas").getContext("2d");
  #parts = [];
  #tiles = [];
  #dash = [];
  #path = "";
  #look = "";
  #shapes = "";

  /** The document, of that size in pixels. */
  svg(width, height) {
    this.#flush();
    const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
    const tiles = this.#tiles.map(({ side, content }, number) => `<pattern id="t${number}" width="${side}" height="${side}" patternUnits="userSpaceOnUse">${content}</pattern>`);
    return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><defs>${tiles.join("")}</defs>${this.#parts.join("\n")}</svg>\n`;
  }

  /** Paint what follows with its corner at x, y; ends with end(). */
  begin(x, y) {
    this.#flush();
    this.#parts.push(`<g transform="translate(${short(x)} ${short(y)})">`);
  }

  end() {
    this.#flush();
    this.#parts.push("</g>");
  }

  /** A pattern to fill with: a square of that side which is repeated. */
  tile(side, draw) {
    const stamp = new Vector();
    draw(stamp);
    stamp.#flush();
    this.#tiles.push({ side, content: stamp.#parts.join("") });
    return `url(#t${this.#tiles.length - 1})`;
  }

  fillRect(x, y, width, height) {
    this.#add(`fill="${safe(this.fillStyle)}"`, box(x, y, width, height));
  }

  strokeRect(x, y, width, height) {
    this.#add(this.#line(), box(x, y, width, height));
  }

  beginPath() {
    this.#path = "";
  }

  moveTo(x, y) {
    this.#path += `M${short(x)} ${short(y)}`;
  }

  lineTo(x, y) {
    this.#path += `L${short(x)} ${short(y)}`;
  }

  quadraticCurveTo(bendX, bendY, x, y) {
    this.#path += `Q${short(bendX)} ${short(bendY)} ${short(x)} ${short(y)}`;
  }

  stroke() {
    this.#add(this.#line(), this.#path);
  }

  fill() {
    this.#add(`fill="${safe(this.fillStyle)}"`, this.#path);
  }

  setLineDash(dash) {
    this.#dash = dash;
  }

  measureText(text) {
    this.#ruler.font = this.font;
    return this.#ruler.measureText(text);
  }

  fillText(text, x, y, most = Infinity) {
    if (!text) return;
    this.#flush();
    const squeezed = this.measureText(text).width > most ? ` textLength="${short(most)}" lengthAdjust="spacingAndGlyphs"` : "";
    const look = `fill="${safe(this.fillStyle)}" style="font: ${safe(this.font)}"${squeezed}`;
    this.#parts.push(`<text x="${short(x)}" y="${short(y)}" ${look}>${safe(text)}</text>`);
  }

  #line() {
    const dash = this.#dash.length ? ` stroke-dasharray="${this.#dash.join(" ")}"` : "";
    return `fill="none" stroke="${safe(this.strokeStyle)}" stroke-width="${this.lineWidth}"${dash}`;
  }

  /** Shapes of one look that follow each other are one element: ten thousand hosts are a few hundred of them. */
  #add(look, shape) {
    if (look !== this.#look) this.#flush();
    this.#look = look;
    this.#shapes += shape;
  }

  #flush() {
    if (this.#shapes) this.#parts.push(`<path ${this.#look} d="${this.#shapes}"/>`);
    this.#shapes = "";
  }
}

function box(x, y, width, height) {
  return `M${short(x)} ${short(y)}h${short(width)}v${short(height)}h${short(-width)}z`;
}

function short(number) {
  return String(Math.round(number * 100) / 100);
}

function safe(text) {
  return String(text).replace(FORBIDDEN, "\u{FFFD}").replace(/[&<>"']/g, (each) => XML[each]);
}
