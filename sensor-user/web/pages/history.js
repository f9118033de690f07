// @ts-check
// Any question to the store: who and how many in a period, compared with the one before, and over time.

import { Problem, address, get, isAbort } from "../api.js";
import { status } from "../agent.js";
import { COLOURS, chart } from "../chart.js";
import { h, replace, setText } from "../dom.js";
import { fields, select, text } from "../fields.js";
import { changeOf, span, UNKNOWN } from "../format.js";
import { f, regionName, serviceName, t, toolName } from "../locale.js";
import { networkCell } from "../networks.js";
import {
  changeCell,
  empty,
  errorNotice,
  errorText,
  loading,
  panel,
  part,
  regionCell,
  serviceCell,
  setBar,
} from "../parts.js";
import { periodPicker, usualPeriod } from "../period.js";
import {
  BESIDE,
  CLASSES,
  ROWS,
  TOOLS,
  TOPS,
  condition,
  dimensions,
  parameters,
  read,
  rowKey,
  rowsCondition,
  serviceOf,
  usualStep,
  write,
} from "../question.js";
import { go, link } from "../router.js";
import { bins, lines } from "../series.js";
import { table } from "../table.js";

/** How many rows have a line of their own. */
const LINES = 6;

/**
 * @typedef {import("../question.js").Question} Question
 */

/** @param {{url: URL}} context */
export function show({ url }) {
  if (!status().store) return storeless(t("nav.history"));
  const usual = usualPeriod();
  /** @type {Question} */
  let question = read(url.searchParams, usual);
  let asked = new AbortController();
  /** @type {(() => void) | null} */
  let discard = null;

  const hrefOf = (/** @type {Partial<Question>} */ changed) =>
    link("/history", write({ ...question, ...changed }, usual));
  const ask = (/** @type {Partial<Question>} */ changed) => go(hrefOf(changed));
  const picker = periodPicker({
    hrefOf: (period) => hrefOf({ period }),
    onchoose: (period) => ask({ period }),
  });
  const form = questionFields((changed) => {
    // Other rows may go with other second rows, and have other packets for usual.
    const { rows, and } = { ...question, ...changed };
    if (changed.rows)
      ask({
        ...changed,
        and: BESIDE[rows].includes(and) ? and : "",
        class: read(new URLSearchParams({ rows }), usual).class,
      });
    else ask(changed);
  });
  const result = h("div", { class: "result" });
  const element = h(
    "div",
    {},
    h("div", { class: "title-line" }, h("h1", { tabindex: -1 }, t("nav.history"))),
    h("section", { class: "question", "aria-label": t("history.question") }, picker.element, form.element),
    result,
  );

  /** @param {URL} at */
  async function load(at) {
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    question = read(at.searchParams, usual);
    form.set(question);
    result.classList.add("waiting");
    if (result.childElementCount === 0) replace(result, loading());
    const { wrong } = condition(question);
    try {
      const period = await picker.set(question.period);
      if (wrong.length > 0) form.fail(wrong[0], t(`history.wrong.${wrong[0]}`));
      if (!period || wrong.length > 0) {
        replace(result);
        return;
      }
      const params = { ...parameters(question), period: period.period };
      const answer = await get("query", { ...params, compare: true }, signal);
      discard?.();
      discard = null;
      replace(
        result,
        facts(answer.summary),
        notes(answer.summary),
        ...(answer.rows.length > 0
          ? [seriesPanel(answer, period, signal), rowsPanel(answer, params)]
          : [empty(t("history.nothing"))]),
      );
    } catch (error) {
      if (isAbort(error)) return;
      const field = error instanceof Problem && error.status === 400 ? form.fieldOf(error.parameter) : null;
      if (error instanceof Problem && error.parameter === "period") picker.fail(errorText(error));
      else if (field) form.fail(field, errorText(error));
      replace(result, field ? null : errorNotice(error, () => load(new URL(location.href))));
    } finally {
      if (!signal.aborted) result.classList.remove("waiting");
    }
  }

  /**
   * The first rows over time.
   *
   * @param {any} answer
   * @param {any} period
   * @param {AbortSignal} signal
   */
  function seriesPanel(answer, period, signal) {
    const dims = dimensions(question);
    /** @type {"hour" | "day"} */
    const step =
      question.rows === "prefix" || question.and === "prefix"
        ? "day"
        : /** @type {"hour" | "day" | ""} */ (question.step) || usualStep(period.seconds);
    const shown = answer.rows.filter((/** @type {any} */ row) => rowsCondition([row], dims)).slice(0, LINES);
    const only = rowsCondition(shown, dims);
    const { where } = condition(question);
    const fill = async (/** @type {HTMLElement} */ box) => {
      const base = { period: period.period, step };
      const [series, quality] = await Promise.all([
        get(
          "query",
          {
            ...base,
            by: ["time", ...dims].join(","),
            where: where && only ? `(${where}) and (${only})` : only || where,
            class: question.class,
            family: question.family,
            sources: "false",
          },
          signal,
        ),
        get("quality", base, signal),
      ]);
      const observed = bins(quality.rows ?? quality, step);
      const zoomText = h("span");
      const zoom = h("p", { class: "zoom", role: "status" }, zoomText);
      const use = h("a", { class: "button plain" }, t("zoom.use"));
      const back = h("button", { type: "button", class: "quiet" }, t("zoom.back"));
      const actions = h("div", { class: "zoom-actions", hidden: true }, zoom, use, back);
      const drawing = chart({
        title: t("history.series.title", { count: shown.length }),
        unit: t(`series.${step}`),
        lines: shown.map((/** @type {any} */ row, /** @type {number} */ at) => ({
          label: label(row, question),
          colour: COLOURS[at],
        })),
        height: 280,
        step,
        figure: (value) => f().count(Math.round(value)),
        onzoom(range) {
          actions.hidden = !range;
          if (!range) return;
          const [from, to] = snapped(range, observed);
          setText(zoomText, t("zoom.shown", { from: f().moment(from), to: f().moment(to) }));
          use.href = hrefOf({ period: zoomPeriod(from, to, step) });
        },
      });
      discard = drawing.destroy;
      back.addEventListener("click", drawing.whole);
      const packets = shown.map(() => new Map());
      const place = new Map(
        shown.map((/** @type {any} */ row, /** @type {number} */ at) => [rowKey(row, dims), at]),
      );
      for (const row of series.rows) {
        packets[place.get(rowKey(row, dims)) ?? -1]?.set(Date.parse(row.time) / 1000, row.packets);
      }
      const all = { from: Date.parse(period.from) / 1000, to: Date.parse(period.to) / 1000 };
      drawing.set(lines(observed, packets, all, { now: Date.now() / 1000 }));
      replace(box, drawing.element, h("p", { class: "note" }, t("zoom.how")), actions);
    };
    return panel("series", t("history.series"), h("div", { class: "chart-box" }, part(fill))).element;
  }

  /**
   * Who, and how many.
   *
   * @param {any} answer
   * @param {Record<string, unknown>} params
   */
  function rowsPanel(answer, params) {
    const { summary, rows } = answer;
    const compared = summary.previous !== null && summary.previous !== undefined;
    const columns = [
      { label: t("column.rank"), class: "n rank" },
      { label: t(`rows.${question.rows}`) },
      ...(question.and ? [{ label: t(`rows.${question.and}`) }] : []),
      { label: t("column.packets"), class: "n" },
      { label: t("column.share"), class: "n bar" },
      ...(compared
        ? [
            { label: t("column.change"), class: "n" },
            { label: t("column.previous-rank"), class: "n wide" },
          ]
        : []),
      { label: t("column.sources"), class: "n" },
      { label: t("column.rate"), class: "n wide", title: t("column.rate.title") },
    ];
    const caption = t("history.rows.caption", { count: summary.given, all: f().count(summary.rows) });
    const { element: box, body } = table({ caption, columns, class: "answer" });
    const most = Math.max(0, ...rows.map((/** @type {any} */ row) => row.share));
    body.append(
      ...rows.map((/** @type {any} */ row, /** @type {number} */ at) => {
        const share = h("td", { class: "n bar" }, f().share(row.share));
        setBar(share, row.share / most);
        return h(
          "tr",
          {},
          h("td", { class: "n rank" }, String(at + 1)),
          h("th", { scope: "row" }, cell(row, question.rows, question.period)),
          question.and ? h("td", {}, cell(row, question.and, question.period)) : null,
          h("td", { class: "n" }, f().count(row.packets)),
          share,
          compared
            ? [
                changeCell(row.packets, row.previous_packets),
                h(
                  "td",
                  { class: "n wide" },
                  row.previous_rank === null ? UNKNOWN : f().count(row.previous_rank),
                ),
              ]
            : null,
          h("td", { class: "n" }, f().count(row.sources)),
          h("td", { class: "n wide" }, f().rate(row.rate)),
        );
      }),
    );
    const made = panel("answer", t("history.rows"), box);
    const { top: _, ...all } = params;
    made.tools.append(
      h(
        "a",
        { href: address("query", { ...all, compare: true, format: "csv" }), download: "teiten.csv" },
        "CSV",
      ),
      h(
        "a",
        { href: address("query", { ...all, compare: true, format: "json" }), download: "teiten.json" },
        "JSON",
      ),
    );
    return made.element;
  }

  load(url);
  return {
    element,
    title: () => t("nav.history"),
    update: load,
    leave() {
      asked.abort();
      picker.leave();
      discard?.();
    },
  };
}

/**
 * Where nothing is kept, or it cannot be read, there is no history.
 *
 * @param {string} title
 */
export function storeless(title) {
  const problem = status().store_problem;
  return {
    title: () => title,
    element: h(
      "div",
      { class: "message" },
      h("h1", { tabindex: -1 }, t(problem ? "storeless.unreadable" : "storeless")),
      h("p", {}, problem ?? t("storeless.why")),
      h(
        "p",
        {},
        h("a", { class: "button", href: link("/") }, t("nav.live")),
        " ",
        h("button", { type: "button", class: "plain", onclick: () => location.reload() }, t("error.again")),
      ),
    ),
  };
}

/** Part of a period up to which nothing is said of it where it is still to come. */
const LITTLE = 0.01;

/**
 * Seconds of a period that are over.
 *
 * @param {any} summary
 */
const secondsOver = ({ from, seconds }) =>
  Math.min(seconds, Math.max(0, (Date.now() - Date.parse(from)) / 1000));

/**
 * The figures of the whole answer.
 *
 * @param {any} summary
 */
function facts(summary) {
  const { previous } = summary;
  const known = previous?.observed_seconds > 0;
  const part = known ? changeOf(summary.packets, previous.packets) : null;
  const over = secondsOver(summary);
  const observed = over > 0 ? Math.min(1, summary.observed_seconds / over) : null;
  const fact = (/** @type {string} */ name, /** @type {any} */ figure, /** @type {string} */ detail = "") =>
    h(
      "div",
      {},
      h("dt", {}, name),
      h("dd", {}, h("span", { class: "figure" }, figure), h("span", { class: "detail" }, detail)),
    );
  return h(
    "dl",
    { class: "facts" },
    fact(t("column.packets"), f().count(summary.packets)),
    fact(
      t("column.change"),
      f().change(part),
      known
        ? t("history.previous", {
            period: span(f(), previous.from, previous.to),
            packets: f().count(previous.packets),
          })
        : t("subject.before.unknown"),
    ),
    fact(t("column.sources"), f().count(summary.sources), t("estimate")),
    fact(
      t("history.observed"),
      f().share(observed),
      t("history.observed.detail", { time: f().duration(summary.observed_seconds) }),
    ),
  );
}

/**
 * What a reader of the figures must know.
 *
 * @param {any} summary
 */
function notes(summary) {
  const { previous } = summary;
  const before =
    previous && Date.parse(previous.to) > Date.parse(previous.from)
      ? (previous.observed_seconds * 1000) / (Date.parse(previous.to) - Date.parse(previous.from))
      : 1;
  const running = secondsOver(summary) < summary.seconds * (1 - LITTLE);
  const said = [
    previous && running && t("note.running"),
    before > 0 && before < 0.8 && t("note.previous", { share: f().share(before) }),
    summary.other > 0 && t("note.other", { count: summary.other }),
    summary.unattributed > 0 && t("note.unattributed", { count: summary.unattributed }),
    summary.partial > 0 && t("note.partial", { count: summary.partial }),
    summary.pending_packets > 0 && t("note.pending", { count: summary.pending_packets }),
    summary.cut && t("note.cut"),
    summary.largest_only && t("note.largest"),
    summary.sources_missing && t("note.sources", { why: summary.sources_missing }),
  ].filter(Boolean);
  return said.length > 0
    ? h(
        "ul",
        { class: "notes" },
        said.map((text) => h("li", {}, text)),
      )
    : null;
}

/**
 * The fields of a question but its period.
 *
 * @param {(changed: Partial<Question>) => void} onchange
 */
function questionFields(onchange) {
  const made = fields("field", onchange);
  const { put } = made;
  const any = /** @type {[string, string]} */ (["", t("field.any")]);
  const sensors = (status().sensors ?? []).map((/** @type {any} */ sensor) => [sensor.name, sensor.name]);
  const element = made.form(
    put("rows", select(Object.keys(ROWS).map((name) => [name, t(`rows.${name}`)]))),
    put("and", select([["", t("field.and.none")]])),
    put("port", text(t("field.port.hint"), 12)),
    put("region", made.region(t("field.region.hint"), 8)),
    put(
      "tool",
      select([any, ...TOOLS.map((name) => /** @type {[string, string]} */ ([name, toolName(name)]))]),
    ),
    put("class", select(CLASSES.map((name) => [name, t(`class.${name}`)]))),
    put("family", select([any, ["4", "IPv4"], ["6", "IPv6"]])),
    sensors.length > 1 ? put("sensor", select([any, ...sensors])) : null,
    put(
      "step",
      select([
        ["", t("step.auto")],
        ["hour", t("step.hour")],
        ["day", t("step.day")],
      ]),
    ),
    put(
      "rank",
      select([
        ["packets", t("column.packets")],
        ["sources", t("column.sources")],
      ]),
    ),
    put("top", select(TOPS.map((top) => [top, f().count(Number(top))]))),
    put("where", text(t("field.where.hint"), 30)),
  );
  return {
    element,
    fail: made.fail,
    /** The field that a parameter of the API comes from; null where there is none. */
    fieldOf(/** @type {string | null} */ parameter) {
      const name = parameter === "by" ? "rows" : parameter === "rank_by" ? "rank" : parameter;
      return name && made.input(name) ? name : null;
    },
    /** @param {Question} question */
    set(question) {
      replace(
        made.input("and"),
        ["", ...BESIDE[question.rows]].map((name) =>
          h("option", { value: name }, name ? t(`rows.${name}`) : t("field.and.none")),
        ),
      );
      made.set(question);
    },
  };
}

/**
 * What a row is of, as a link where there is a page for it.
 *
 * @param {any} row
 * @param {string} of
 * @param {string} period
 */
function cell(row, of, period) {
  if (of === "service") {
    const service = serviceOf(row);
    if (service?.includes("/")) return serviceCell(service, { period });
    return service ?? UNKNOWN;
  }
  if (of === "region" && typeof row.region === "string") return regionCell(row.region, { period });
  if (of === "asn") return networkCell(row.asn);
  return name(row, of);
}

/**
 * What a row is of, in words.
 *
 * @param {any} row
 * @param {string} of
 * @returns {string}
 */
function name(row, of) {
  if (of === "service" || of === "victim") {
    const service = serviceOf(row);
    const known = service ? serviceName(service) : "";
    return known ? `${service} ${known}` : (service ?? UNKNOWN);
  }
  if (of === "region") return regionName(row.region);
  if (of === "tool") return toolName(row.tool);
  if (of === "asn") return row.asn === null ? t("asn.unknown") : `AS${row.asn}`;
  if (of === "class") return row.class ? t(`class.${row.class}`) : UNKNOWN;
  return String(row[of] ?? t("value.unattributed"));
}

/**
 * @param {any} row
 * @param {Question} question
 */
function label(row, { rows, and }) {
  return and ? `${name(row, rows)} · ${name(row, and)}` : name(row, rows);
}

/**
 * A range widened to the bins that it touches.
 *
 * @param {{from: number, to: number}} range
 * @param {import("../series.js").Bin[]} all
 * @returns {[Date, Date]}
 */
function snapped({ from, to }, all) {
  const first = all.findLast((bin) => bin.from <= from)?.from ?? from;
  const last = all.find((bin) => bin.from + bin.seconds >= to);
  return [new Date(first * 1000), new Date((last ? last.from + last.seconds : to) * 1000)];
}

/**
 * The period of a range, as the API takes it.
 *
 * @param {Date} from
 * @param {Date} to
 * @param {"hour" | "day"} step
 */
function zoomPeriod(from, to, step) {
  if (step === "day") return `${f().isoDay(from)}..${f().isoDay(new Date(to.getTime() - 1000))}`;
  return `${f().isoMinute(from)}..${f().isoMinute(to)}`;
}
