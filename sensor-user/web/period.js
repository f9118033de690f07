// @ts-check
// Chooses a period: by name, by preset, or the one before or after.

import { Problem, get, isAbort } from "./api.js";
import { status } from "./agent.js";
import { h, setText, unique } from "./dom.js";
import { plusDays, span, toDate } from "./format.js";
import { f, t } from "./locale.js";
import { errorText } from "./parts.js";

const PRESETS = [
  "today",
  "yesterday",
  "-24h",
  "-7d",
  "-28d",
  "last-week",
  "last-month",
  "last-quarter",
  "last-year",
];

/** Seconds that the last counts may be old while counting goes on. */
const RECENT = 2 * 86_400;

/** The last counts of a store that nobody fills any more; null where counting goes on. */
export function storeEnd() {
  const last = toDate(status().store?.last);
  return last && Date.now() - last.getTime() > RECENT * 1000 ? last : null;
}

/** Seconds since the first counts; 0 where there are none. */
function storeAge() {
  const first = toDate(status().store?.first);
  return first ? (Date.now() - first.getTime()) / 1000 : 0;
}

/** Some days up to and with one. */
function daysTo(/** @type {string} */ last, /** @type {number} */ days) {
  return `${plusDays(last, 1 - days)}..${last}`;
}

/** The day of the last counts. The end of a day belongs to it, and is the begin of the next one. */
export const lastDay = (/** @type {Date} */ end) => f().isoDay(new Date(end.getTime() - 1000));

/** The period that is shown where none is asked for: the last 7 days, of a young store the last one. */
export function usualPeriod() {
  const end = storeEnd();
  if (end) return daysTo(lastDay(end), 7);
  return storeAge() > 86_400 ? "-7d" : "-24h";
}

/** The period whose report is shown where none is asked for. */
export function usualReport() {
  const end = storeEnd();
  if (end) return lastDay(end).slice(0, 7);
  return storeAge() > 8 * 86_400 ? "last-week" : "today";
}

/** Days up to which a relative period is of whole hours; a longer one is of whole days. */
const HOURLY = 8;

/**
 * What the API knows of a period. One that is only told by how long ago it began (`-7d`) ends now, and is of
 * whole hours or days, so that nothing of it is left uncounted.
 *
 * @param {string} text
 * @param {AbortSignal} signal
 */
async function resolve(text, signal) {
  if (!/^-\d+[smhdw]$/.test(text)) return get("period", { period: text }, signal);
  const rough = await get("period", { from: text }, signal);
  const days = Math.round(rough.seconds / 86_400);
  const period = days > HOURLY ? daysTo(rough.last_day, days) : hours(rough);
  return get("period", { period }, signal);
}

/**
 * A period from the begin of its first hour, on the clock that its times are written by.
 *
 * @param {{from: string, to: string}} period RFC 3339
 */
export function hours({ from, to }) {
  const begin = from.replace(/T(\d\d):\d\d(:\d\d(\.\d+)?)?/, "T$1:00:00");
  return `${begin}..${to}`;
}

/**
 * A picker. `hrefOf` gives the address of the view for a period, so that both arrows are links.
 *
 * @param {{
 *   hrefOf: (period: string) => string,
 *   onchoose: (period: string) => void,
 *   presets?: string[],
 * }} options
 */
export function periodPicker({ hrefOf, onchoose, presets = PRESETS }) {
  const [inputId, errorId, hintId] = [unique("period"), unique("period-error"), unique("period-hint")];
  const before = h("a", { class: "arrow", "aria-label": t("period.before") }, "‹");
  const after = h("a", { class: "arrow", "aria-label": t("period.after") }, "›");
  const input = h("input", {
    id: inputId,
    name: "period",
    type: "text",
    size: 24,
    autocomplete: "off",
    spellcheck: "false",
    autocapitalize: "off",
    "aria-describedby": `${hintId} ${errorId}`,
    title: t("period.hint"),
    onchange: () => input.value.trim() && onchoose(input.value.trim()),
  });
  const preset = h(
    "select",
    { "aria-label": t("period.presets"), onchange: () => preset.value && onchoose(preset.value) },
    h("option", { value: "" }, t("period.presets")),
    presets.map((value) => h("option", { value }, t(`period.${value}`))),
  );
  const resolved = h("span", { class: "resolved", id: hintId });
  const error = h("p", { class: "field-error", id: errorId, role: "alert" });
  const element = h(
    "div",
    { class: "period" },
    h("label", { for: inputId }, t("period")),
    h("div", { class: "row" }, before, input, after, preset),
    resolved,
    error,
  );
  /** @type {AbortController | null} */
  let asked = null;

  const point = (/** @type {any} */ arrow, /** @type {any} */ period) => {
    const text = typeof period === "string" ? period : period?.period;
    if (text) arrow.href = hrefOf(text);
    else arrow.removeAttribute("href");
    arrow.setAttribute("aria-disabled", String(!text));
  };

  const fail = (/** @type {string} */ text) => {
    setText(error, text);
    input.setAttribute("aria-invalid", String(Boolean(text)));
  };

  return {
    element,
    fail,
    /**
     * Shows a period, and gives what the API knows of it, `period` being what to ask by; null where it is none,
     * which is said at the field.
     *
     * @param {string} period
     * @returns {Promise<any>}
     */
    async set(period) {
      asked?.abort();
      asked = new AbortController();
      input.value = period;
      preset.value = presets.includes(period) ? period : "";
      fail("");
      try {
        const found = await resolve(period, asked.signal);
        point(before, found.previous);
        point(after, found.next);
        setText(resolved, span(f(), found.from, found.to));
        return found;
      } catch (problem) {
        if (isAbort(problem)) throw problem;
        point(before, null);
        point(after, null);
        setText(resolved, "");
        if (!(problem instanceof Problem) || problem.status !== 400) throw problem;
        fail(errorText(problem));
        return null;
      }
    },
    leave: () => asked?.abort(),
  };
}
