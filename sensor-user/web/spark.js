// @ts-check
// Sparklines: a row's last hour in the height of a line of text.

import { svg } from "./dom.js";

const [WIDTH, HEIGHT] = [76, 18];

/** A sparkline, and what draws other values into it. */
export function spark() {
  const area = svg("path", { class: "area" });
  const line = svg("path", { class: "curve" });
  const end = svg("circle", { r: 1.8, class: "end" });
  const element = svg(
    "svg",
    {
      class: "spark",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      width: WIDTH,
      height: HEIGHT,
      "aria-hidden": "true",
    },
    area,
    line,
    end,
  );
  return {
    element,
    /** @param {number[]} values */
    draw(values) {
      const points = trace(values, WIDTH, HEIGHT);
      element.classList.toggle("blank", points.length === 0);
      if (points.length === 0) return;
      const path = points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
      const [x, y] = points[points.length - 1];
      line.setAttribute("d", `M${path}`);
      area.setAttribute("d", `M${points[0][0]} ${HEIGHT}L${path}L${x.toFixed(1)} ${HEIGHT}Z`);
      end.setAttribute("cx", x.toFixed(1));
      end.setAttribute("cy", y.toFixed(1));
    },
  };
}

/**
 * Points of a curve from 0 to the largest value. Pure.
 *
 * @param {number[]} values
 * @param {number} width
 * @param {number} height
 * @returns {[number, number][]}
 */
export function trace(values, width, height) {
  if (!Array.isArray(values) || values.length < 2) return [];
  const most = Math.max(1, ...values);
  const [left, top] = [1, 2];
  const step = (width - 2 * left - 2) / (values.length - 1);
  return values.map((value, at) => [left + at * step, top + (1 - value / most) * (height - top - 2)]);
}
