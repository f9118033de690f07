// @ts-check
// The report of any period, and its downloads.

import { address, get, isAbort, Problem } from "../api.js";
import { status } from "../agent.js";
import { h, replace } from "../dom.js";
import { fields, select } from "../fields.js";
import { f, lang, t } from "../locale.js";
import { errorNotice, errorText, loading } from "../parts.js";
import { periodPicker, usualReport } from "../period.js";
import { go, link } from "../router.js";
import { storeless } from "./history.js";

const PRESETS = ["today", "yesterday", "last-week", "last-month", "last-quarter", "last-year"];

const TOPS = ["5", "10", "20", "50"];

/** The home region of an address, as of a question, that wants none, where the agent has one. */
const NONE = "none";

/**
 * @typedef {{period: string, text: string, top: string, home: string, profile: string, rank: string}} Wanted
 * `text`: the report's language
 */

/**
 * What an address asks for. Pure but for the usual language and home.
 *
 * @param {URLSearchParams} params
 * @returns {Wanted}
 */
function read(params) {
  const among = (/** @type {string} */ name, /** @type {string[]} */ known, /** @type {string} */ usual) =>
    known.includes(params.get(name) ?? "") ? /** @type {string} */ (params.get(name)) : usual;
  const home = params.get("home")?.trim();
  return {
    period: params.get("period")?.trim() || usualReport(),
    text: among("text", ["en", "ja"], lang()),
    top: among("top", TOPS, "5"),
    home: home === NONE ? "" : (home?.toUpperCase() ?? status().home ?? ""),
    profile: among("profile", ["publish", "internal"], "publish"),
    rank: among("rank", ["packets", "sources"], "packets"),
  };
}

/** @param {{url: URL}} context */
export function show({ url }) {
  if (!status().store) return storeless(t("nav.report"));
  let wanted = read(url.searchParams);
  let asked = new AbortController();

  const hrefOf = (/** @type {Partial<Wanted>} */ changed) => {
    const now = { ...wanted, ...changed };
    const usual = /** @type {Record<string, string>} */ (read(new URLSearchParams()));
    const said = Object.entries(now).filter(([name, value]) => name === "period" || value !== usual[name]);
    return link("/report", Object.fromEntries(said.map(([name, value]) => [name, value || NONE])));
  };
  const ask = (/** @type {Partial<Wanted>} */ changed) => go(hrefOf(changed));
  const picker = periodPicker({
    hrefOf: (period) => hrefOf({ period }),
    onchoose: (period) => ask({ period }),
    presets: PRESETS,
  });
  const form = options(ask);
  const downloads = h("p", { class: "downloads" });
  const tables = h("details", { class: "tables" });
  const box = h("div", { class: "report-box" });
  const element = h(
    "div",
    {},
    h("div", { class: "title-line" }, h("h1", { tabindex: -1 }, t("nav.report"))),
    h("section", { class: "question", "aria-label": t("report.options") }, picker.element, form.element),
    h("div", { class: "report-links" }, downloads, tables),
    box,
  );

  /** @param {URL} at */
  async function load(at) {
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    wanted = read(at.searchParams);
    form.set(wanted);
    replace(downloads);
    tables.hidden = true;
    const begun = Date.now();
    const waiting = loading();
    const said = /** @type {any} */ (waiting.lastChild);
    const count = () => {
      said.textContent = t("report.making", { time: f().duration((Date.now() - begun) / 1000) });
    };
    count();
    replace(box, waiting);
    const timer = setInterval(count, 1000);
    try {
      const found = await picker.set(wanted.period);
      if (!found) {
        replace(box);
        return;
      }
      const { period } = found;
      const params = {
        period,
        lang: wanted.text,
        top: wanted.top,
        home: wanted.home || NONE,
        profile: wanted.profile,
        rank_by: wanted.rank,
      };
      const page = address("report", { ...params, format: "html" });
      // Its tables are asked for first, so that errors can be told and waiting be seen; the agent keeps the report
      // that it makes for them, and the frame and all links have it then.
      const made = await get("report/tables", params, signal);
      replace(
        box,
        h("iframe", {
          src: page,
          // Its links of the web open windows of their own, which the frame's bounds do not hold for.
          sandbox: "allow-popups allow-popups-to-escape-sandbox",
          title: t("report.frame", { period }),
          referrerpolicy: "no-referrer",
        }),
      );
      linkDownloads(params, page, made.tables);
    } catch (error) {
      if (isAbort(error)) return;
      const field = error instanceof Problem && error.status === 400 ? error.parameter : null;
      if (field === "period") picker.fail(errorText(error));
      if (field === "home") form.fail("home", errorText(error));
      replace(
        box,
        field === "period" || field === "home"
          ? null
          : errorNotice(error, () => load(new URL(location.href))),
      );
    } finally {
      clearInterval(timer);
    }
  }

  /**
   * @param {Record<string, string>} params
   * @param {string} page
   * @param {{table: string, caption: string, rows: number}[]} has
   */
  function linkDownloads(params, page, has) {
    const format = (/** @type {string} */ name, /** @type {string} */ text, /** @type {string} */ end) =>
      h(
        "a",
        {
          href: address("report", { ...params, format: name, download: true }),
          download: `teiten-${params.period}.${end}`,
        },
        text,
      );
    replace(
      downloads,
      h("a", { href: page, target: "_blank", rel: "noopener" }, t("report.alone")),
      h("span", { class: "name" }, t("report.download")),
      format("html", "HTML", "html"),
      format("md", "Markdown", "md"),
      format("json", "JSON", "json"),
    );
    replace(
      tables,
      h("summary", {}, t("report.tables")),
      h(
        "ul",
        { lang: params.lang },
        has
          .filter(({ rows }) => rows > 0)
          .map(({ table, caption }) =>
            h(
              "li",
              {},
              h(
                "a",
                {
                  href: address("report", { ...params, format: "csv", table, download: true }),
                  download: `teiten-${params.period}-${table}.csv`,
                },
                caption,
              ),
            ),
          ),
      ),
    );
    tables.hidden = false;
  }

  load(url);
  return {
    element,
    title: () => t("nav.report"),
    update: load,
    leave() {
      asked.abort();
      picker.leave();
    },
  };
}

/**
 * @param {(changed: Partial<Wanted>) => void} onchange
 */
function options(onchange) {
  const made = fields("report", onchange);
  const { put } = made;
  const element = made.form(
    put(
      "text",
      select([
        ["en", "English"],
        ["ja", "日本語"],
      ]),
    ),
    put("top", select(TOPS.map((top) => [top, f().count(Number(top))]))),
    put("home", made.region("JP", 6)),
    put(
      "rank",
      select([
        ["packets", t("column.packets")],
        ["sources", t("column.sources")],
      ]),
    ),
    put(
      "profile",
      select([
        ["publish", t("report.profile.publish")],
        ["internal", t("report.profile.internal")],
      ]),
    ),
  );
  return { element, fail: made.fail, set: made.set };
}
