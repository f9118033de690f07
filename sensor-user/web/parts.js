// @ts-check
// What several pages show in the same way.

import { Problem, Unreachable, isAbort } from "./api.js";
import { h, hidden, replace } from "./dom.js";
import { changeOf } from "./format.js";
import { f, regionName, serviceName, t } from "./locale.js";
import { regionLink, serviceLink } from "./router.js";

/**
 * A part of a page with a heading.
 *
 * @param {string} name class of the part
 * @param {string} heading
 * @param {...any} children
 */
export function panel(name, heading, ...children) {
  const title = h("h2", { id: `${name}-heading` }, heading);
  const tools = h("div", { class: "tools" });
  const element = h(
    "section",
    { class: ["panel", name], "aria-labelledby": `${name}-heading` },
    h("div", { class: "head" }, title, tools),
    ...children,
  );
  return { element, title, tools };
}

/**
 * A choice between few things, as a row of buttons.
 *
 * @param {string} label
 * @param {[string, string][]} options value and text
 * @param {string} chosen
 * @param {(value: string) => void} onchoose
 */
export function choice(label, options, chosen, onchoose) {
  const buttons = options.map(([value, text]) =>
    h(
      "button",
      { type: "button", "aria-pressed": String(value === chosen), onclick: () => choose(value) },
      text,
    ),
  );
  const choose = (/** @type {string} */ value) => {
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(options[at][0] === value)));
    onchoose(value);
  };
  return h("div", { class: "choice", role: "group", "aria-label": label }, buttons);
}

/**
 * A service and its name, as a link to its page.
 *
 * @param {string} service
 * @param {Record<string, unknown>} [params]
 */
export function serviceCell(service, params) {
  const name = serviceName(service);
  return [
    h("a", { href: serviceLink(service, params) }, service),
    name ? h("span", { class: "name" }, " ", name) : null,
  ];
}

/**
 * A region by its name, as a link to its page.
 *
 * @param {string} region
 * @param {Record<string, unknown>} [params]
 */
export function regionCell(region, params) {
  const plain = region.length !== 2;
  return [
    plain ? null : h("span", { class: "code", "aria-hidden": "true" }, region, " "),
    h("a", { href: regionLink(region, params) }, regionName(region)),
  ];
}

/**
 * A cell whose bar is as long as its part of the longest one.
 *
 * @param {any} cell
 * @param {number} part from 0 to 1
 */
export function setBar(cell, part) {
  cell.style.setProperty("--part", String(Math.max(0, Math.min(1, Number.isFinite(part) ? part : 0))));
}

/**
 * A cell that tells what changed on the period before, in sign as well as in colour.
 *
 * @param {number | null | undefined} now
 * @param {number | null | undefined} before
 */
export function changeCell(now, before) {
  const part = changeOf(now, before);
  if (part === null) {
    const fresh = before === 0 && typeof now === "number" && now > 0;
    return h("td", { class: ["n", fresh ? "new" : "faint"] }, fresh ? t("rank.new") : f().change(null));
  }
  const direction = part > 0 ? "rise" : part < 0 ? "fall" : null;
  const sign = part > 0 ? "▲" : part < 0 ? "▼" : "";
  return h(
    "td",
    { class: ["n", direction] },
    sign ? h("span", { class: "sign", "aria-hidden": "true" }, sign) : null,
    f().change(part),
  );
}

/**
 * What an error says, and what can be done.
 *
 * @param {unknown} error
 */
export function errorText(error) {
  if (error instanceof Problem) {
    if (error.status === 503 && error.title === "busy") return t("error.busy");
    if (error.status === 503 && error.title === "too long") return t("error.long");
    return error.message;
  }
  if (error instanceof Unreachable) return t("error.unreachable");
  return t("error.unexpected", { error: String(error) });
}

/**
 * A notice that something went wrong.
 *
 * @param {unknown} error
 * @param {(() => void) | null} [again]
 */
export function errorNotice(error, again = null) {
  return alert(
    errorText(error),
    again ? h("button", { type: "button", class: "plain", onclick: again }, t("error.again")) : null,
  );
}

/**
 * A notice that must be seen.
 *
 * @param {...any} children the first one is what it says
 */
export function alert(...children) {
  const [text, ...more] = children;
  return h(
    "div",
    { class: "alert", role: "alert" },
    h("span", { class: "sign", "aria-hidden": "true" }, "!"),
    h("div", {}, h("p", {}, text), ...more),
  );
}

/** What stands where something is on its way. */
export function loading(text = t("loading")) {
  return h(
    "p",
    { class: "loading", role: "status" },
    h("span", { class: "spinner", "aria-hidden": "true" }),
    text,
  );
}

/**
 * A part that fills itself; what goes wrong stands in its place.
 *
 * @param {(box: HTMLElement) => Promise<unknown>} fill
 * @param {string} [waiting]
 */
export function part(fill, waiting) {
  const box = h("div", { class: "part" });
  const attempt = () => {
    replace(box, loading(waiting));
    fill(box).catch((error) => {
      if (!isAbort(error)) replace(box, errorNotice(error, attempt));
    });
  };
  attempt();
  return box;
}

/**
 * What stands where there is nothing.
 *
 * @param {any} text
 */
export const empty = (text) => h("p", { class: "empty" }, text);

/**
 * Places won or lost, in sign as well as in words.
 *
 * @param {any} cell
 * @param {number} places above 0: upwards
 */
export function setMove(cell, places) {
  const key = String(places);
  if (cell.dataset.places === key) return;
  cell.dataset.places = key;
  cell.className = places > 0 ? "move rise" : places < 0 ? "move fall" : "move";
  const size = Math.abs(places);
  cell.replaceChildren(
    ...(places === 0
      ? [hidden(t("move.same"))]
      : [
          h("span", { "aria-hidden": "true" }, `${places > 0 ? "▲" : "▼"}${size}`),
          hidden(t(places > 0 ? "move.up" : "move.down", { count: size })),
        ]),
  );
}
