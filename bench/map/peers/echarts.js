// ECharts' heatmap on canvas, without animation or tooltips, which would cost it more; the same feed.
import { feed, share, worstByte } from "/static/js/live.js";
import "/npm/echarts/dist/echarts.min.js";
import { schemeColours } from "/static/js/colours.js";

const COLUMNS = 140;
let chart = null;

feed.addEventListener("frame", () => {
  const hosts = feed.hosts.length;
  if (!chart) {
    const box = document.getElementById("peer");
    box.style.height = `${window.innerHeight - 120}px`;
    chart = globalThis.echarts.init(box);
    // Drawn in many small parts by itself; this comes after the last.
    chart.on("finished", () => box.dispatchEvent(new Event("painted")));
    const axis = (count) => ({ type: "category", show: false, data: Array.from({ length: count }, (_, each) => each) });
    chart.setOption({
      animation: false,
      grid: { left: 0, right: 0, top: 0, bottom: 0 },
      xAxis: axis(COLUMNS),
      yAxis: axis(Math.ceil(hosts / COLUMNS)),
      visualMap: { min: 0, max: 1, show: false, inRange: { color: schemeColours().ramp } },
      series: [{ type: "heatmap", silent: true, data: [] }],
    });
  }
  const data = Array.from({ length: hosts }, (_, row) => [
    row % COLUMNS,
    Math.floor(row / COLUMNS),
    share(worstByte(feed.frame.used, row)),
  ]);
  chart.setOption({ series: [{ data }] });
  document.documentElement.dataset.painted = "yes";
});
