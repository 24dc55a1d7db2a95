// Lines over time on a canvas of uPlot: bands, limits, and events as upright lines. What it shows is also in a table.
import { el } from "./dom.js";
import { figure, moment } from "./words.js";

export const COLOURS = [
  "#2f7ed8", "#d9822b", "#2a9d6f", "#c2479b", "#8066d6", "#0097a7", "#6b8e23", "#8d6e63", "#a1741f", "#7a7a85",
];
const EVENTS = { release: "#7a8794", rollback: "#d9822b", rejected: "#d64545", failed: "#d64545", waiting: "#d9822b" };
const HEIGHT = 320;

const library = import("../library/uPlot.esm.js").then((found) => found.default, () => null);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// series: [{label, colour, points: [{at, value, low, high}], band, dash}]; events: [{at, kind}].
export async function chart(label, series, { events = [], read = () => "" } = {}) {
  const UPlot = await library;
  if (!UPlot) {
    return el("p", { class: "card warn", role: "status" },
      "The chart library is missing, so figures are shown in tables only: run `make install`, or build the image again.");
  }
  const box = el("div", { class: "chart", role: "img", "aria-label": label });
  const reading = el("p", { class: "reading muted", "aria-live": "off" });
  const times = [...new Set(series.flatMap((one) => one.points.map((point) => point.at)))].sort((a, b) => a - b);
  const place = new Map(times.map((time, index) => [time, index]));
  const spread = (points, key) => {
    const values = times.map(() => null);
    for (const point of points) values[place.get(point.at)] = point[key] ?? null;
    return values;
  };
  const columns = [times];
  const shown = [{}];
  const bands = [];
  for (const one of series) {
    columns.push(spread(one.points, "value"));
    shown.push({ label: one.label, stroke: one.colour, width: one.dash ? 1 : 2, dash: one.dash, spanGaps: true,
      points: { show: !one.dash && times.length < 80, size: 5 } });
    if (!one.band) continue;
    for (const key of ["high", "low"]) {
      columns.push(spread(one.points, key));
      shown.push({ label: key, stroke: "transparent", width: 0, points: { show: false }, spanGaps: true });
    }
    bands.push({ series: [columns.length - 2, columns.length - 1], fill: `${one.colour}2e` });
  }
  const axis = () => ({ stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } });
  const long = times[times.length - 1] - times[0] > 300 * 86400;
  const day = (time) => new Date(time * 1000).toISOString().slice(long ? 0 : 5, 10);
  const draw = () => {
    box.replaceChildren();
    const options = {
      width: Math.max(box.clientWidth, 200), height: HEIGHT, series: shown, bands, legend: { show: false },
      tzDate: (seconds) => UPlot.tzDate(new Date(seconds * 1000), "UTC"),
      axes: [{ ...axis(), values: (_, ticks) => ticks.map(day) }, { ...axis(), size: 64, values: (_, ticks) => ticks.map((tick) => Number(tick.toPrecision(6)).toString()) }],
      scales: { y: { range: (_, low, high) => UPlot.rangeNum(low, high, 0.1, false) } },
      hooks: {
        draw: [(plot) => drawEvents(plot, events)],
        setCursor: [(plot) => { reading.textContent = tell(plot.cursor.idx, times, series, place, read); }],
      },
    };
    new UPlot(options, columns, box);
  };
  new ResizeObserver(() => box.clientWidth && draw()).observe(box);
  document.addEventListener("themechange", draw);
  return el("figure", { class: "plain" }, legend(series, events), box, reading);
}

function tell(index, times, series, place, read) {
  if (index === null || index === undefined) return "";
  const values = series.filter((one) => !one.dash).map((one) => [one, one.points.find((point) => place.get(point.at) === index)]);
  const said = values.filter(([, point]) => point && point.value !== null).map(([one, point]) => `${one.label} ${figure(point.value)}`);
  return [moment(times[index] * 1000), ...said, read(times[index])].filter(Boolean).join(" · ");
}

function drawEvents(plot, events) {
  const { left, top, width, height } = plot.bbox;
  plot.ctx.save();
  plot.ctx.lineWidth = devicePixelRatio;
  for (const event of events) {
    const x = plot.valToPos(event.at, "x", true);
    if (x < left || x > left + width || !EVENTS[event.kind]) continue;
    plot.ctx.strokeStyle = EVENTS[event.kind];
    plot.ctx.globalAlpha = event.kind === "release" ? 0.35 : 0.9;
    plot.ctx.setLineDash(event.kind === "release" ? [2, 4] : []);
    plot.ctx.beginPath();
    plot.ctx.moveTo(x, top);
    plot.ctx.lineTo(x, top + height);
    plot.ctx.stroke();
  }
  plot.ctx.restore();
}

function legend(series, events) {
  const entry = (stroke, text) => {
    const swatch = el("span", { class: "swatch" });
    swatch.style.background = stroke;
    return el("li", {}, swatch, text);
  };
  const kinds = [...new Set(events.map((event) => event.kind))].filter((kind) => EVENTS[kind]);
  return el("ul", { class: "legend" }, series.map((one) => entry(one.colour, one.label)),
    kinds.map((kind) => entry(EVENTS[kind], `| ${kind}`)));
}

export const seconds = (text) => new Date(text).getTime() / 1000;
