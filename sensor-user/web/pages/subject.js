// @ts-check
// What the pages of a service and of a region have in common: figures, series, what was found, and rankings
// of what is beside it.

import { Problem, get, isAbort } from "../api.js";
import { status } from "../agent.js";
import { COLOURS, chart } from "../chart.js";
import { h, replace, webAddress } from "../dom.js";
import { UNKNOWN, changeOf, plusDays, span } from "../format.js";
import { f, lang, t, toolName } from "../locale.js";
import { changeCell, empty, errorNotice, loading, panel, part, setBar } from "../parts.js";
import { periodPicker, usualPeriod } from "../period.js";
import { usualStep } from "../question.js";
import { go, link } from "../router.js";
import { bins, lines } from "../series.js";
import { table } from "../table.js";
import { storeless } from "./history.js";

/** Rows of a ranking on these pages. */
const ROWS = 12;

/** How deep a place is looked for. */
const DEEP = 1000;

/**
 * @typedef {{from: number, to: number | null, number: number}} Mark
 * @typedef {{marks: Mark[], draw: () => void}} Marked what marks the series, and what draws it there
 * @typedef {{
 *   name: string, heading: string, subject: string, by: string[], cell: (row: any, period: string) => any,
 *   history: Record<string, string>, none?: string,
 * }} Beside a ranking of what is beside the subject; `none`: what stands where there are no rows
 * @typedef {{
 *   path: string, heading: any, title: string, where: string, by: string[], among?: string,
 *   same: (row: any) => boolean, finding: Record<string, string>, history: Record<string, string>,
 *   beside: Beside[][],
 * }} Subject `by`, `among` (a condition) and `same`: among whom it has its place; `finding`: what findings are
 * asked for by; `beside`: by column
 */

/**
 * The column in which tools and sensors stand.
 *
 * @returns {Beside[]}
 */
export function toolsAndSensors() {
  return [
    {
      name: "tools-of",
      heading: t("live.tools"),
      subject: t("column.tool"),
      by: ["tool"],
      cell: (row) => toolName(row.tool),
      history: { rows: "tool" },
    },
    {
      name: "sensors",
      heading: t("subject.sensors"),
      subject: t("column.sensor"),
      by: ["sensor"],
      cell: (row) => row.sensor ?? t("value.unattributed"),
      history: { rows: "sensor" },
    },
  ];
}

/**
 * @param {Subject} subject
 * @param {URL} url
 */
export function showSubject(subject, url) {
  if (!status().store) return storeless(subject.title);
  const usual = usualPeriod();
  let asked = new AbortController();
  /** @type {(() => void)[]} */
  let discards = [];

  const hrefOf = (/** @type {string} */ period) =>
    link(subject.path, { period: period === usual ? "" : period });
  const picker = periodPicker({ hrefOf, onchoose: (period) => go(hrefOf(period)) });
  const result = h("div", { class: "result" });
  const element = h(
    "div",
    {},
    h("div", { class: "title-line" }, h("h1", { tabindex: -1 }, subject.heading)),
    h("section", { class: "question", "aria-label": t("period") }, picker.element),
    result,
  );

  const clear = () => {
    for (const discard of discards) discard();
    discards = [];
  };

  /** @param {URL} at */
  async function load(at) {
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    const text = at.searchParams.get("period")?.trim() || usual;
    result.classList.add("waiting");
    if (result.childElementCount === 0) replace(result, loading());
    try {
      const period = await picker.set(text);
      clear();
      if (!period) {
        replace(result);
        return;
      }
      const figures = part((box) => headline(box, period.period, signal));
      const series = panel("series", t("history.series"));
      const found = panel("findings", t("subject.findings"));
      const marked = /** @type {Marked} */ ({ marks: [], draw() {} });
      series.element.append(part((box) => overTime(box, marked, period, signal)));
      found.element.append(
        part((box) => findings(box, marked, period, signal), t("subject.findings.making")),
      );
      replace(
        result,
        figures,
        series.element,
        found.element,
        h(
          "div",
          { class: "columns" },
          subject.beside.map((column) =>
            h(
              "div",
              { class: "column" },
              column.map((beside) => ranking(beside, text, period.period, signal)),
            ),
          ),
        ),
      );
    } catch (error) {
      if (isAbort(error)) return;
      if (error instanceof Problem && error.parameter === "period") picker.fail(error.message);
      else
        replace(
          result,
          errorNotice(error, () => load(new URL(location.href))),
        );
    } finally {
      if (!signal.aborted) result.classList.remove("waiting");
    }
  }

  /**
   * Packets, place, share, sources, rate.
   *
   * @param {HTMLElement} box
   * @param {string} period
   * @param {AbortSignal} signal
   */
  async function headline(box, period, signal) {
    const asked = { period, by: subject.by.join(","), compare: true };
    const all = get("query", { ...asked, sources: "false", top: DEEP }, signal);
    const [own, { summary }, { rows }] = await Promise.all([
      get("query", { ...asked, where: subject.where }, signal),
      all,
      subject.among
        ? get("query", { ...asked, where: subject.among, sources: "false", top: DEEP }, signal)
        : all,
    ]);
    const row = own.rows.find(subject.same);
    const at = rows.findIndex(subject.same);
    const packets = row?.packets ?? 0;
    const { previous } = own.summary;
    const before = row?.previous_packets ?? (previous?.observed_seconds > 0 ? previous.packets : null);
    // Who is not among all of them has no place.
    const outside = rows.length < DEEP ? UNKNOWN : t("subject.place.outside", { count: DEEP });
    const place = at >= 0 ? t("subject.place", { place: f().count(at + 1) }) : outside;
    const previousRank = at >= 0 ? rows[at].previous_rank : null;
    const fact = (/** @type {string} */ name, /** @type {any} */ figure, /** @type {string} */ detail = "") =>
      h(
        "div",
        {},
        h("dt", {}, name),
        h("dd", {}, h("span", { class: "figure" }, figure), h("span", { class: "detail" }, detail)),
      );
    replace(
      box,
      h(
        "dl",
        { class: "facts" },
        fact(
          t("column.packets"),
          f().count(packets),
          t("subject.of-all", {
            share: f().share(summary.packets > 0 ? packets / summary.packets : null),
          }),
        ),
        fact(
          t("column.rank.word"),
          packets > 0 ? place : UNKNOWN,
          previousRank ? t("subject.place.before", { place: f().count(previousRank) }) : "",
        ),
        fact(
          t("column.change"),
          before === 0 && packets > 0 ? t("rank.new") : f().change(changeOf(packets, before)),
          typeof before === "number"
            ? t("subject.before", { packets: f().count(before) })
            : t("subject.before.unknown"),
        ),
        fact(t("column.sources"), f().count(row?.sources ?? (packets === 0 ? 0 : null)), t("estimate")),
        fact(t("column.rate"), f().rate(row?.rate), t("column.rate.title")),
      ),
    );
  }

  /**
   * What was found, which marks the series.
   *
   * @param {HTMLElement} box
   * @param {Marked} marked
   * @param {any} period
   * @param {AbortSignal} signal
   */
  async function findings(box, marked, period, signal) {
    const answer = await get(
      "findings",
      { period: period.period, lang: lang(), home: status().home, ...subject.finding },
      signal,
    );
    tell(box, answer);
    marked.marks = (answer.findings ?? []).map((/** @type {any} */ finding, /** @type {number} */ at) => ({
      ...stretch(finding),
      number: at + 1,
    }));
    marked.draw();
  }

  /**
   * Packets and sources over time.
   *
   * @param {HTMLElement} box
   * @param {Marked} marked
   * @param {any} period
   * @param {AbortSignal} signal
   */
  async function overTime(box, marked, period, signal) {
    const step = usualStep(period.seconds);
    const base = { period: period.period, step };
    const [series, quality] = await Promise.all([
      get("query", { ...base, by: "time", where: subject.where }, signal),
      get("quality", base, signal),
    ]);
    const observed = bins(quality.rows ?? quality, step);
    const [packets, sources] = [new Map(), new Map()];
    for (const row of series.rows) {
      const at = Date.parse(row.time) / 1000;
      packets.set(at, row.packets);
      sources.set(at, row.sources);
    }
    const all = { from: Date.parse(period.from) / 1000, to: Date.parse(period.to) / 1000 };
    const now = Date.now() / 1000;
    const make = (/** @type {string} */ title, /** @type {string} */ unit, /** @type {string} */ colour) =>
      chart({
        title,
        unit,
        lines: [{ label: title, colour }],
        height: 220,
        step,
        figure: (value) => f().count(Math.round(value)),
        onzoom: () => {},
      });
    const drawings = [
      make(t("column.packets"), t(`series.${step}`), COLOURS[0]),
      make(t("column.sources"), t(`series.sources.${step}`), COLOURS[2]),
    ];
    discards.push(...drawings.map((drawing) => drawing.destroy));
    replace(
      box,
      h(
        "div",
        { class: "charts" },
        drawings.map((drawing) => drawing.element),
      ),
    );
    const data = [
      lines(observed, [packets], all, { now }),
      lines(observed, [sources], all, { now, asSeen: true }),
    ];
    marked.draw = () => drawings.forEach((drawing, at) => drawing.set(data[at], marked.marks));
    marked.draw();
  }

  /**
   * A ranking beside the subject.
   *
   * @param {Beside} beside
   * @param {string} period as the address has it
   * @param {string} resolved
   * @param {AbortSignal} signal
   */
  function ranking(beside, period, resolved, signal) {
    const { element: place, tools } = panel(beside.name, beside.heading);
    tools.append(
      h("a", { href: link("/history", { ...subject.history, ...beside.history, period }) }, t("nav.history")),
    );
    place.append(
      part(async (box) => {
        const answer = await get(
          "query",
          { period: resolved, by: beside.by.join(","), where: subject.where, top: ROWS, compare: true },
          signal,
        );
        if (answer.rows.length === 0) return replace(box, empty(beside.none ?? t("subject.nothing")));
        const { element: scroll, body } = table({
          caption: beside.heading,
          hideCaption: true,
          columns: [
            { label: beside.subject },
            { label: t("column.packets"), class: "n" },
            { label: t("column.share"), class: "n bar" },
            { label: t("column.change"), class: "n" },
            { label: t("column.sources.short"), class: "n wide", title: t("column.sources") },
          ],
        });
        const most = Math.max(...answer.rows.map((/** @type {any} */ row) => row.share));
        body.append(
          ...answer.rows.map((/** @type {any} */ row) => {
            const share = h("td", { class: "n bar" }, f().share(row.share));
            setBar(share, row.share / most);
            return h(
              "tr",
              {},
              h("th", { scope: "row" }, beside.cell(row, period)),
              h("td", { class: "n" }, f().count(row.packets)),
              share,
              changeCell(row.packets, row.previous_packets),
              h("td", { class: "n wide" }, f().count(row.sources)),
            );
          }),
        );
        const more = answer.summary.rows > answer.rows.length;
        replace(
          box,
          scroll,
          answer.summary.largest_only ? h("p", { class: "note" }, t("note.largest")) : null,
          more
            ? h(
                "p",
                { class: "note" },
                t("subject.more", { count: answer.summary.rows - answer.rows.length }),
              )
            : null,
        );
      }),
    );
    return place;
  }

  load(url);
  return {
    element,
    title: () => subject.title,
    update: load,
    leave() {
      asked.abort();
      picker.leave();
      clear();
    },
  };
}

/**
 * What was found, in sentences, and the advisories that fit.
 *
 * @param {HTMLElement} box
 * @param {any} answer
 */
function tell(box, answer) {
  const findings = answer.findings ?? [];
  const advisories = answer.advisories ?? [];
  replace(
    box,
    findings.length === 0 ? empty(t("subject.findings.none")) : null,
    findings.map((/** @type {any} */ finding, /** @type {number} */ at) => findingCard(finding, at + 1)),
    advisories.length > 0
      ? [
          h("h3", {}, t("subject.advisories")),
          h("ul", { class: "advisories" }, advisories.map(advisory)),
          h("p", { class: "note" }, t("subject.advisories.caveat")),
        ]
      : null,
  );
}

/** @param {any} finding */
const kindOf = ({ kind }) =>
  ["rise", "fall", "silence", "blind", "newcomer"].includes(kind) ? kind : "rise";

/**
 * When a finding began and ended, in seconds since 1970. Dates are those of the store's clock; a date as the end
 * is included.
 *
 * @param {any} finding
 * @returns {{from: number, to: number | null}}
 */
function stretch({ onset, end }) {
  const isDate = (/** @type {any} */ text) => /^\d{4}-\d\d-\d\d$/.test(String(text));
  const second = (/** @type {any} */ text) =>
    (isDate(text) ? f().dayBegin(text).getTime() : Date.parse(text)) / 1000;
  return { from: second(onset), to: end ? second(isDate(end) ? plusDays(end, 1) : end) : null };
}

/**
 * @param {any} finding
 * @param {number} number
 */
function findingCard(finding, number) {
  const kind = kindOf(finding);
  const { from, to } = stretch(finding);
  const iso = (/** @type {number} */ seconds) => new Date(seconds * 1000).toISOString();
  const when = to
    ? span(f(), iso(from), iso(to))
    : t("subject.since", { time: f().day(new Date(from * 1000)) });
  return h(
    "article",
    { class: ["finding", kind] },
    h(
      "p",
      { class: "label" },
      h("span", { class: "number" }, String(number)),
      h("strong", { class: "kind" }, t(`finding.${kind}`)),
      h("span", {}, when),
      h("span", { class: "id" }, String(finding.id ?? "")),
    ),
    h("p", {}, String(finding.text ?? "")),
  );
}

/** @param {any} one */
function advisory(one) {
  const href = webAddress(one.url);
  const title = String(one.title ?? "");
  return h(
    "li",
    {},
    h("time", {}, String(one.date ?? "")),
    " ",
    href ? h("a", { href, target: "_blank", rel: "noopener noreferrer" }, title) : h("span", {}, title),
    one.id ? h("span", { class: "name" }, " ", String(one.id)) : null,
    one.note ? h("p", { class: "note" }, String(one.note)) : null,
  );
}
