// @ts-check
// The world, shaded by a figure of each region. Its outlines are projected beforehand.

import { h, setStyle, svg } from "./dom.js";
import { bounds, shade } from "./ranks.js";
import { go } from "./router.js";

export const SHADES = 6;

/** @type {Promise<any> | null} */
let world = null;

/** The outlines, fetched once. */
function outlines() {
  world ??= fetch("/world.json").then((response) => {
    if (!response.ok) throw new Error(`world.json: ${response.status}`);
    return response.json();
  });
  world.catch(() => {
    world = null;
  });
  return world;
}

/**
 * A map. `describe` gives what is told of a region under the pointer, `href` where a click on it leads,
 * `count` how figures of the legend are written.
 *
 * @param {{
 *   describe: (code: string) => [string, string],
 *   href: (code: string) => string,
 *   count: (value: number) => string,
 *   label: string,
 * }} options
 */
export async function worldMap({ describe, href, count, label }) {
  const { viewBox, regions, frame } = await outlines();
  /** @type {Map<string, SVGPathElement[]>} */
  const paths = new Map();
  const shapes = regions.map((/** @type {{code: string | null, d: string}} */ { code, d }) => {
    const path = svg("path", { d, class: "m0", "data-code": code });
    if (code) paths.set(code, [...(paths.get(code) ?? []), path]);
    return path;
  });
  const lands = svg("g", { class: "lands" }, shapes);
  const drawing = svg(
    "svg",
    { viewBox, role: "img", "aria-label": label },
    frame ? svg("path", { d: frame, class: "globe" }) : null,
    lands,
  );
  const name = h("strong");
  const figure = h("span");
  const tip = h("div", { class: "tip", hidden: true }, name, figure);
  const legend = h("ul", { class: "shades", "aria-hidden": "true" });
  const element = h("div", { class: "map" }, drawing, tip, legend);

  const codeOf = (/** @type {Event} */ event) =>
    event.target instanceof Element ? event.target.getAttribute("data-code") : null;
  lands.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    const code = codeOf(event);
    tip.hidden = !code;
    if (!code) return;
    [name.textContent, figure.textContent] = describe(code);
    const box = element.getBoundingClientRect();
    const x = Math.min(event.clientX - box.left + 14, box.width - tip.offsetWidth - 4);
    setStyle(tip, { transform: `translate(${Math.max(0, x)}px, ${event.clientY - box.top + 14}px)` });
  });
  lands.addEventListener("pointerleave", () => {
    tip.hidden = true;
  });
  lands.addEventListener("click", (/** @type {Event} */ event) => {
    const code = codeOf(event);
    if (code) go(href(code));
  });

  return {
    element,
    /** @param {Map<string, number>} figures */
    draw(figures) {
      const most = Math.max(0, ...[...figures].filter(([code]) => paths.has(code)).map(([, value]) => value));
      for (const [code, shapesOf] of paths) {
        const level = shade(figures.get(code) ?? 0, most, SHADES);
        for (const path of shapesOf) path.setAttribute("class", `m${level}`);
      }
      const steps = most > 0 ? bounds(most, SHADES) : [];
      // Few packets leave shades that stand for nothing; these are not shown.
      const shown = steps.map((to, at) => [at + 1, to]).filter(([at, to]) => to > (steps[at - 2] ?? 0));
      legend.replaceChildren(
        ...shown.map(([at, to]) =>
          h(
            "li",
            {},
            svg(
              "svg",
              { viewBox: "0 0 12 12", width: 12, height: 12 },
              svg("rect", { width: 12, height: 12, class: `m${at}` }),
            ),
            `≤ ${count(to)}`,
          ),
        ),
      );
    },
  };
}
