// @ts-check
// Charts of series in time, by uPlot: with a legend that tells the figures under the pointer or the arrow
// keys, gaps hatched, marks numbered, and the figures as a table to unfold.

import uPlot from "./vendor/uPlot.esm.js";
import { h, replace, setText, svg } from "./dom.js";
import { UNKNOWN } from "./format.js";
import { f, t, zoneName } from "./locale.js";
import { colour, onScheme } from "./scheme.js";
import { stacked } from "./series.js";
import { table } from "./table.js";

/**
 * @typedef {import("./series.js").Drawn} Drawn
 * @typedef {{label: string, colour: string}} Line `colour`: the name of a variable of the style sheet
 * @typedef {{from: number, to: number | null, number: number}} Mark seconds since 1970
 * @typedef {{
 *   title: string,
 *   unit: string,
 *   lines: Line[],
 *   stack?: boolean,
 *   height?: number,
 *   step?: "hour" | "day",
 *   figure: (value: number) => string,
 *   onzoom?: (range: {from: number, to: number} | null) => void,
 * }} Options `step`: of bins; without one, times are told to the second
 */

/** The class, whose source has no types. */
const Plot = /** @type {any} */ (uPlot);

/** Lines differ in dashes as well as in colour. */
const DASHES = [[], [7, 3], [2, 3], [10, 3, 2, 3], [5, 2], [12, 4], [1, 2], [8, 2, 2, 2, 2, 2]];

/** Colours of lines, by their place. */
export const COLOURS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8"];

const FONT = 12;

/**
 * A chart without data.
 *
 * @param {Options} options
 */
export function chart(options) {
  const { title, unit, lines, stack = false, height = 240, step, figure, onzoom } = options;
  const plotBox = h("div", { class: "plot", tabindex: 0, role: "img" });
  const time = h("span", { class: "time" });
  const entries = lines.map((line, at) => entry(line, at, stack, toggle));
  const gapEntry = h(
    "li",
    { class: "not-observed", hidden: true },
    h("span", { class: "key" }),
    t("chart.gap"),
  );
  const legend = h(
    "ul",
    { class: "legend" },
    entries.map(({ element }) => element),
    gapEntry,
  );
  const figures = h("details", { class: "figures" }, h("summary", {}, t("chart.figures")));
  figures.addEventListener("toggle", tabulate);
  const element = h(
    "figure",
    { class: "chart" },
    h("figcaption", {}, h("span", { class: "title" }, title), " ", h("span", { class: "unit" }, unit), time),
    legend,
    plotBox,
    figures,
  );

  /** @type {Drawn} */
  let drawn = { x: [], values: lines.map(() => []), gaps: [] };
  /** @type {Mark[]} */
  let marks = [];
  /** @type {any} */
  let plot = null;
  let zoomed = false;

  // The uppermost area is drawn first, the others over it.
  const order = lines.map((_, at) => (stack ? lines.length - 1 - at : at));
  const columns = () => {
    const values = stack ? stacked(drawn.values) : drawn.values;
    return [drawn.x, ...order.map((at) => values[at])];
  };

  function make() {
    const opts = {
      width: Math.max(200, plotBox.clientWidth),
      height,
      tzDate: (/** @type {number} */ seconds) => Plot.tzDate(new Date(seconds * 1000), zoneName()),
      padding: [14, 30, 0, 0],
      legend: { show: false },
      scales: { x: { time: true, range: timeRange }, y: { range: figureRange } },
      series: [{}, ...order.map((at) => lineOptions(at))],
      axes: [
        {
          stroke: () => colour("--quiet"),
          font: font(),
          size: 26,
          gap: 5,
          space: 62,
          grid: { show: false },
          ticks: { stroke: () => colour("--strong-line"), size: 5, width: 1 },
          values: (
            /** @type {any} */ _,
            /** @type {number[]} */ splits,
            /** @type {number} */ __,
            /** @type {number} */ ___,
            /** @type {number} */ incr,
          ) => timeLabels(splits, incr),
        },
        {
          stroke: () => colour("--quiet"),
          font: font(),
          gap: 6,
          size: (/** @type {any} */ u, /** @type {string[] | null} */ values) => axisWidth(u, values),
          space: 34,
          grid: { stroke: () => colour("--line"), width: 1 },
          ticks: { show: false },
          values: (/** @type {any} */ _, /** @type {number[]} */ splits) =>
            splits.map((value) => f().compact(value)),
        },
      ],
      cursor: {
        y: false,
        points: { size: 7, width: 1.5 },
        drag: { x: Boolean(onzoom), y: false, setScale: Boolean(onzoom), dist: 6 },
      },
      hooks: {
        drawClear: [drawGaps],
        draw: [drawMarks],
        setCursor: [tellFigures],
        setScale: [(/** @type {any} */ u, /** @type {string} */ key) => key === "x" && noticeZoom(u)],
      },
    };
    plot = new Plot(opts, columns(), plotBox);
  }

  /**
   * All of the period, unless it is zoomed into.
   *
   * @param {any} _
   * @param {number} min
   * @param {number} max
   * @returns {[number, number]}
   */
  function timeRange(_, min, max) {
    const { x, extent } = drawn;
    const all = min === null || (min <= x[0] && max >= x[x.length - 1]);
    return all && extent ? [extent.from, extent.to] : [min, max];
  }

  /** @param {number} at */
  function lineOptions(at) {
    const { colour: name } = lines[at];
    return {
      stroke: () => colour(name),
      width: stack ? 1 : 1.75,
      dash: stack ? [] : DASHES[at % DASHES.length],
      fill: stack ? () => colour(`${name}-soft`) : undefined,
      paths: stack ? Plot.paths.stepped({ align: 1 }) : undefined,
      points: stack ? { show: false } : { show: true, size: 5, filter: dotted },
    };
  }

  /** @param {number} at */
  function toggle(at) {
    const shown = entries[at].button.getAttribute("aria-pressed") !== "true";
    entries[at].button.setAttribute("aria-pressed", String(shown));
    plot?.setSeries(order.indexOf(at) + 1, { show: shown });
  }

  /** @param {any} u */
  function noticeZoom(u) {
    if (!onzoom || drawn.x.length < 2) return;
    const { min, max } = u.scales.x;
    const { from, to } = drawn.extent ?? { from: drawn.x[0], to: drawn.x[drawn.x.length - 1] };
    const now = min > from || max < to;
    if (now) onzoom({ from: min, to: max });
    else if (zoomed) onzoom(null);
    zoomed = now;
  }

  /** @param {any} u */
  function drawGaps(u) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const { from, to } of drawn.gaps) {
      const left = u.valToPos(from, "x", true);
      const right = u.valToPos(to, "x", true);
      if (right < bbox.left || left > bbox.left + bbox.width) continue;
      ctx.fillStyle = hatch(ctx);
      ctx.fillRect(left, bbox.top, Math.max(1, right - left), bbox.height);
    }
    ctx.restore();
  }

  /** @param {any} u */
  function drawMarks(u) {
    const { ctx, bbox } = u;
    const ratio = Plot.pxRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, 0, bbox.width, bbox.top + bbox.height);
    ctx.clip();
    ctx.font = `600 ${11 * ratio}px ${family()}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    let free = -Infinity;
    let row = 0;
    for (const { from, to, number } of marks) {
      const { min, max } = u.scales.x;
      if (from > max || (to ?? from) < min) continue;
      const left = u.valToPos(from, "x", true);
      if (to !== null) {
        ctx.fillStyle = colour("--mark-soft");
        ctx.fillRect(left, bbox.top, u.valToPos(to, "x", true) - left, bbox.height);
      }
      ctx.strokeStyle = colour("--quiet");
      ctx.lineWidth = ratio;
      ctx.setLineDash([4 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(left, bbox.top);
      ctx.lineTo(left, bbox.top + bbox.height);
      ctx.stroke();
      ctx.setLineDash([]);
      const width = (8 + 7 * String(number).length) * ratio;
      const x = Math.min(Math.max(left, bbox.left + width / 2), bbox.left + bbox.width - width / 2);
      row = x - width / 2 < free ? row + 1 : 0;
      free = Math.max(free, x + width / 2 + 2 * ratio);
      const y = (8 + row * 15) * ratio;
      ctx.fillStyle = colour("--quiet");
      ctx.beginPath();
      ctx.roundRect(x - width / 2, y - 7 * ratio, width, 14 * ratio, 7 * ratio);
      ctx.fill();
      ctx.fillStyle = colour("--page");
      ctx.fillText(String(number), x, y + 0.5 * ratio);
    }
    ctx.restore();
  }

  /** The figures under the pointer; without one, the last ones that there are. */
  function tellFigures() {
    const under = plot?.cursor.idx;
    const at = under ?? drawn.x.findLastIndex((_, x) => drawn.values.some((line) => line[x] !== null));
    const told = at < 0 ? "" : when(at);
    setText(time, told);
    entries.forEach(({ value }, line) => {
      const known = drawn.values[line]?.[at];
      setText(value, typeof known === "number" ? figure(known) : UNKNOWN);
    });
  }

  /**
   * The time of a figure: the begin of what it is of.
   *
   * @param {number} index
   */
  function when(index) {
    const at = new Date((drawn.begins ?? drawn.x)[index] * 1000);
    if (!step) return f().second(at);
    return step === "day" ? f().day(at) : f().moment(at);
  }

  /** Fills the table while it is unfolded. */
  function tabulate() {
    if (!figures.open) return;
    const { element: box, body } = table({
      caption: `${title} (${unit})`,
      columns: [{ label: t("chart.time") }, ...lines.map(({ label }) => ({ label, class: "n" }))],
      class: "data",
    });
    body.append(
      ...drawn.x.map((_, at) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, when(at)),
          drawn.values.map((line) =>
            h("td", { class: "n" }, typeof line[at] === "number" ? figure(line[at]) : UNKNOWN),
          ),
        ),
      ),
    );
    replace(figures, figures.firstElementChild, box);
  }

  plotBox.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (event.key === "Escape" && zoomed) plot.setData(columns());
    if (by === undefined || !plot || drawn.x.length === 0) return;
    event.preventDefault();
    const at = Math.min(drawn.x.length - 1, Math.max(0, (plot.cursor.idx ?? drawn.x.length - 1) + by));
    plot.setCursor({ left: plot.valToPos(drawn.x[at], "x"), top: 0 });
    plotBox.setAttribute("aria-label", spoken());
  });

  const spoken = () =>
    [time.textContent, ...entries.map(({ value }, at) => `${lines[at].label} ${value.textContent}`)].join(
      ", ",
    );

  const resized = new ResizeObserver(() => {
    if (plotBox.clientWidth === 0) return;
    if (!plot) make();
    else if (plot.width !== plotBox.clientWidth) plot.setSize({ width: plotBox.clientWidth, height });
  });
  resized.observe(plotBox);
  const unlisten = onScheme(() => plot?.redraw(true, true));

  return {
    element,
    /**
     * @param {Drawn} data
     * @param {Mark[]} [marked]
     */
    set(data, marked = []) {
      drawn = data;
      marks = marked;
      zoomed = false;
      gapEntry.hidden = drawn.gaps.length === 0;
      plot?.setData(columns());
      tellFigures();
      plotBox.setAttribute("aria-label", `${title}, ${unit}. ${spoken()}. ${t("chart.keys")}`);
      tabulate();
    },
    /** The whole again, after a zoom. */
    whole() {
      plot?.setData(columns());
    },
    destroy() {
      resized.disconnect();
      unlisten();
      plot?.destroy();
    },
  };
}

/**
 * An entry of the legend: lines may be switched off, areas may not.
 *
 * @param {Line} line
 * @param {number} at
 * @param {boolean} stack
 * @param {(at: number) => void} toggle
 */
function entry(line, at, stack, toggle) {
  const value = h("span", { class: "value" });
  const sign = stack
    ? svg("rect", { x: 1, y: 1, width: 12, height: 10, rx: 2, class: "area" })
    : svg("path", { d: "M1 6H25", class: "curve", "stroke-dasharray": DASHES[at % DASHES.length].join(" ") });
  const width = stack ? 14 : 26;
  const key = svg("svg", { viewBox: `0 0 ${width} 12`, width, height: 12, "aria-hidden": "true" }, sign);
  key.style.setProperty("color", `var(${line.colour})`);
  key.style.setProperty("--soft-colour", `var(${line.colour}-soft)`);
  const name = h("span", {}, line.label);
  const button = stack
    ? h("span", { class: "entry" }, key, name, value)
    : h(
        "button",
        { type: "button", class: "entry", "aria-pressed": "true", onclick: () => toggle(at) },
        key,
        name,
        value,
      );
  return { element: h("li", {}, button), button, value };
}

/** Points of a line up to which each has a dot. */
const FEW = 40;

/**
 * The points of a line that have a dot: all where there are few, else those that no line leads to.
 *
 * @param {any} u
 * @param {number} line
 * @returns {number[]}
 */
function dotted(u, line) {
  /** @type {(number | null)[]} */
  const values = u.data[line];
  const known = (/** @type {number} */ at) => values[at] !== null && values[at] !== undefined;
  const places = values.map((_, at) => at).filter(known);
  return places.length <= FEW ? places : places.filter((at) => !known(at - 1) && !known(at + 1));
}

/**
 * From 0 to a little above the largest.
 *
 * @param {any} _
 * @param {number} __
 * @param {number} most
 */
const figureRange = (_, __, most) => [0, most > 0 ? most * 1.08 : 1];

const family = () => getComputedStyle(document.body).fontFamily;
const font = () => `${FONT}px ${family()}`;

/**
 * As wide as the longest label.
 *
 * @param {any} u
 * @param {string[] | null} values
 */
function axisWidth(u, values) {
  if (!values?.length) return 30;
  u.ctx.font = `${FONT * Plot.pxRatio}px ${family()}`;
  return (
    Math.ceil(Math.max(...values.map((text) => u.ctx.measureText(text ?? "").width)) / Plot.pxRatio) + 12
  );
}

/**
 * Labels of the axis of time, on the zone's clock.
 *
 * @param {number[]} splits
 * @param {number} incr seconds between them
 */
function timeLabels(splits, incr) {
  const { minute, second, dayOfYear, month, year, isoMinute } = f();
  return splits.map((seconds) => {
    const at = new Date(seconds * 1000);
    const midnight = isoMinute(at).endsWith("T00:00");
    if (incr >= 360 * 86_400) return year(at);
    if (incr >= 28 * 86_400) return month(at);
    if (incr >= 86_400 || midnight) return dayOfYear(at);
    return incr < 60 ? second(at) : minute(at);
  });
}

/** @type {{key: string, pattern: CanvasPattern | null}} */
let hatched = { key: "", pattern: null };

/**
 * What stands where nothing was observed.
 *
 * @param {CanvasRenderingContext2D} ctx
 */
function hatch(ctx) {
  const ratio = Plot.pxRatio;
  const [ground, stroke] = [colour("--gap"), colour("--hatch")];
  const key = `${ratio} ${ground} ${stroke}`;
  if (hatched.key !== key) {
    const size = Math.round(6 * ratio);
    const tile = document.createElement("canvas");
    tile.width = tile.height = size;
    const brush = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
    brush.fillStyle = ground;
    brush.fillRect(0, 0, size, size);
    brush.strokeStyle = stroke;
    brush.lineWidth = ratio;
    brush.beginPath();
    for (const shift of [-size, 0, size]) {
      brush.moveTo(shift, size);
      brush.lineTo(shift + size, 0);
    }
    brush.stroke();
    hatched = { key, pattern: ctx.createPattern(tile, "repeat") };
  }
  return hatched.pattern ?? ground;
}
