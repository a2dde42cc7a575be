// Charts as one picture in a file.
import { schemeColours } from "./colours.js";

const MARGIN = 16;
const TITLE = 28;
const CAPTION = 20;

/** Save canvases, two beside each other, each below its name and what is said of it. All are of the same size. */
export async function savePng(title, charts) {
  const { width, height } = charts[0].canvas;
  const density = devicePixelRatio || 1;
  const [margin, above, caption] = [MARGIN, TITLE, CAPTION].map((each) => each * density);
  const picture = document.createElement("canvas");
  picture.width = 2 * width + 3 * margin;
  picture.height = above + Math.ceil(charts.length / 2) * (caption + height + margin) + margin;
  const ctx = picture.getContext("2d");
  const { sheet, ink, "ink-2": second, font } = schemeColours();
  ctx.fillStyle = sheet;
  ctx.fillRect(0, 0, picture.width, picture.height);
  const write = (text, weight, colour, x, y) => {
    ctx.font = `${weight} ${13 * density}px ${font}`;
    ctx.fillStyle = colour;
    ctx.fillText(text, x, y);
    return ctx.measureText(text).width;
  };
  write(title, 600, ink, margin, above - 6 * density);
  charts.forEach(({ name, said, canvas }, each) => {
    const x = margin + (each % 2) * (width + margin);
    const y = above + Math.floor(each / 2) * (caption + height + margin);
    const wide = write(name, 600, ink, x, y + caption - 6 * density);
    write(said, 400, second, x + wide + 8 * density, y + caption - 6 * density);
    ctx.drawImage(canvas, x, y + caption);
  });
  const blob = await new Promise((done) => picture.toBlob(done));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${title.replace(/[^\w-]+/g, "-")}.png`;
  link.click();
  URL.revokeObjectURL(link.href);
}
