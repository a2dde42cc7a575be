// Makes static/dist/ of npm's packages. Our own modules are served as they stand in static/js and import from there.
// `make build` runs it where something here or in package-lock.json changed.
import { copyFile, mkdir, rm } from "node:fs/promises";
import { build } from "esbuild";

const TO = "static/dist";

await rm(TO, { recursive: true, force: true });
await mkdir(TO, { recursive: true });

const common = { bundle: true, minify: true, target: "es2022", logLevel: "warning" };

await build({
  ...common,
  stdin: { contents: 'export { default } from "uplot";', resolveDir: "." },
  format: "esm",
  outfile: `${TO}/uplot.js`,
});

// In the layer below our components: styles outside all layers would win over them.
await build({
  ...common,
  stdin: { contents: '@import "uplot/dist/uPlot.min.css" layer(base);', resolveDir: ".", loader: "css" },
  outfile: `${TO}/uplot.css`,
});

await copyFile("node_modules/uplot/LICENSE", `${TO}/uplot.LICENSE.txt`);
