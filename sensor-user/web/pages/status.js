// @ts-check
// Sensors, interfaces, the store, databases, and how complete the data are.

import { get, isAbort } from "../api.js";
import { askStatus, status } from "../agent.js";
import { h, replace, svg } from "../dom.js";
import { UNKNOWN, plusDays, toDate } from "../format.js";
import { f, t } from "../locale.js";
import { alert, empty, errorNotice, loading, panel } from "../parts.js";
import { lastDay, storeEnd } from "../period.js";
import { link } from "../router.js";
import { table } from "../table.js";

/** Days from which a database is old: addresses change hands every month. */
const OLD = 60;

/** Weeks that the strip of data quality shows. */
const WEEKS = 8;

export function show() {
  const asked = new AbortController();
  const body = h("div", { class: "status" }, loading());
  const element = h(
    "div",
    {},
    h("div", { class: "title-line" }, h("h1", { tabindex: -1 }, t("nav.status"))),
    body,
  );

  const load = async () => {
    try {
      const about = await askStatus(asked.signal);
      const live = about.agent ? await get("live", {}, asked.signal).catch(rethrowAbort) : null;
      replace(
        body,
        h("div", { class: "columns" }, agentPanel(about), storePanel(about, live), databasesPanel(about)),
        sensorsPanel(about),
        live ? interfacesPanel(live) : null,
        about.store ? qualityPanel(asked.signal) : null,
      );
    } catch (error) {
      if (!isAbort(error)) replace(body, errorNotice(error, load));
    }
  };
  load();
  return { element, title: () => t("nav.status"), leave: () => asked.abort() };
}

/** No live figures are no reason to show nothing. */
function rethrowAbort(/** @type {unknown} */ error) {
  if (isAbort(error)) throw error;
  return null;
}

/**
 * Pairs of a name and what it is.
 *
 * @param {[string, any][]} pairs
 */
function list(pairs) {
  return h(
    "dl",
    { class: "pairs" },
    pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** @param {string | null | undefined} text */
function moment(text) {
  const at = toDate(text);
  return at ? f().moment(at) : UNKNOWN;
}

/** @param {any} about */
function agentPanel(about) {
  const { agent } = about;
  const since = toDate(agent?.started);
  return panel(
    "agent",
    t("status.agent"),
    agent
      ? list([
          [t("status.host"), about.host],
          [t("status.version"), about.version],
          [
            t("status.started"),
            since
              ? t("status.started.ago", {
                  time: moment(agent.started),
                  length: f().duration((Date.now() - since.getTime()) / 1000),
                })
              : UNKNOWN,
          ],
          [t("status.interval"), f().duration(agent.interval_seconds)],
          [
            t("status.prefixes"),
            t("status.prefixes.value", { v4: String(agent.v4_prefix), v6: String(agent.v6_prefix) }),
          ],
          [t("status.action"), agent.action === "drop" ? t("status.action.drop") : t("status.action.pass")],
        ])
      : [
          empty(t("live.absent.why")),
          list([
            [t("status.host"), about.host],
            [t("status.version"), about.version],
          ]),
        ],
  ).element;
}

/**
 * @param {any} about
 * @param {any} live
 */
function storePanel(about, live) {
  const { store } = about;
  const trouble = live?.store?.trouble;
  return panel(
    "store-of",
    t("status.store"),
    trouble
      ? alert(t("trouble.store", { what: t(`store.${trouble}`), since: moment(live.store.since) }))
      : null,
    live?.store?.fold_failing ? alert(t("trouble.fold")) : null,
    about.store_problem ? alert(String(about.store_problem)) : null,
    store
      ? list([
          [t("status.first"), moment(store.first)],
          [t("status.last"), moment(store.last)],
          [t("status.zone"), store.time_zone],
          [t("status.frames"), f().count(store.frames)],
          [t("status.bytes"), f().bytes(store.bytes)],
          [t("status.pending"), f().count(store.pending_epochs)],
        ])
      : about.store_problem
        ? null
        : empty(t("store.none")),
  ).element;
}

/** @param {any} about */
function databasesPanel(about) {
  const roles = ["country", "asn"];
  const databases = about.databases ?? [];
  const missing = roles.filter((role) => !databases.some((/** @type {any} */ one) => one.role === role));
  const { element: box, body } = table({
    caption: t("status.databases"),
    hideCaption: true,
    columns: [
      { label: t("status.role") },
      { label: t("status.type") },
      { label: t("status.built") },
      { label: t("status.age"), class: "n" },
    ],
  });
  body.append(
    ...databases.map((/** @type {any} */ one) => {
      const old = one.age_days !== null && one.age_days > OLD;
      const built = toDate(one.built);
      return h(
        "tr",
        { class: old ? "old" : null },
        h("th", { scope: "row" }, roles.includes(one.role) ? t(`status.role.${one.role}`) : one.role),
        h("td", {}, one.type),
        h("td", { class: "date" }, built ? f().day(built) : UNKNOWN),
        h("td", { class: "n" }, one.age_days === null ? UNKNOWN : t("status.days", { count: one.age_days })),
      );
    }),
  );
  const old = databases.filter((/** @type {any} */ one) => one.age_days > OLD);
  return panel(
    "databases",
    t("status.databases"),
    databases.length > 0 ? box : null,
    old.length > 0 ? alert(t("status.old", { count: OLD })) : null,
    missing.map((role) =>
      alert(t(`status.missing.${role}`), h("p", {}, t("status.missing.where", { option: `--${role} FILE` }))),
    ),
  ).element;
}

/** @param {any} about */
function sensorsPanel(about) {
  const sensors = about.sensors ?? [];
  const { element: box, body } = table({
    caption: t("status.sensors"),
    hideCaption: true,
    columns: [
      { label: t("column.sensor") },
      { label: t("status.sensor-role") },
      { label: t("status.group") },
      { label: t("status.alias") },
      { label: t("status.watched") },
      { label: t("status.addresses"), class: "n" },
      { label: t("status.filtered") },
    ],
  });
  const texts = (/** @type {string[]} */ items) =>
    items?.length > 0
      ? items.map((text) => h("span", { class: "chip" }, text))
      : h("span", { class: "name" }, UNKNOWN);
  body.append(
    ...sensors.map((/** @type {any} */ sensor) =>
      h(
        "tr",
        {},
        h(
          "th",
          { scope: "row" },
          h("a", { href: link("/history", { sensor: sensor.name }) }, sensor.name),
          sensor.until
            ? h("span", { class: "name" }, " ", t("status.until", { time: moment(sensor.until) }))
            : null,
        ),
        h(
          "td",
          {},
          ["dark", "lit", "honeypot"].includes(sensor.role) ? t(`role.${sensor.role}`) : sensor.role,
        ),
        h("td", {}, sensor.group ?? UNKNOWN),
        h("td", {}, sensor.alias ?? UNKNOWN),
        h("td", {}, texts(sensor.prefixes)),
        h("td", { class: "n" }, f().count(sensor.addresses)),
        h("td", {}, texts(sensor.filtered)),
      ),
    ),
  );
  return panel("sensors", t("status.sensors"), sensors.length > 0 ? box : empty(t("status.sensors.none")))
    .element;
}

/** @param {any} live */
function interfacesPanel(live) {
  const { element: box, body } = table({
    caption: t("live.interfaces"),
    columns: [
      { label: t("column.interface") },
      { label: t("column.mode") },
      { label: t("status.state") },
      { label: t("column.received"), class: "n" },
      { label: t("column.dropped"), class: "n" },
    ],
  });
  body.append(
    ...(live.interfaces ?? []).map((/** @type {any} */ one) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, one.interface),
        h("td", {}, t(`mode.${one.mode}`)),
        h("td", { class: one.up ? null : "rise" }, one.up ? t("interface.up") : t("interface.down")),
        h("td", { class: "n" }, f().count(one.received)),
        h("td", { class: ["n", one.dropped > 0 ? "rise" : null] }, f().count(one.dropped)),
      ),
    ),
  );
  return panel("interfaces", t("status.interfaces"), box).element;
}

/** @param {AbortSignal} signal */
function qualityPanel(signal) {
  const box = h("div", {}, loading());
  const { element } = panel("quality", t("status.quality"), box);
  const load = async () => {
    try {
      const dates = shownDates();
      const answer = await get("quality", { period: `${dates[0]}..${dates.at(-1)}`, step: "day" }, signal);
      const now = Date.now() / 1000;
      const days = (answer.rows ?? answer)
        .filter((/** @type {any} */ row) => row.seconds <= 25 * 3600)
        .map((/** @type {any} */ row) => ({ ...row, coverage: covered(row, now) }));
      if (days.length === 0) return replace(box, empty(t("status.quality.none")));
      replace(
        box,
        h("p", { class: "told" }, sum(days)),
        strip(days, dates),
        key(),
        h("details", { class: "figures" }, h("summary", {}, t("status.quality.figures")), daysTable(days)),
      );
    } catch (error) {
      if (!isAbort(error)) replace(box, errorNotice(error, load));
    }
  };
  load();
  return element;
}

/** The dates that the strip shows: whole weeks from Monday, the last one up to today, or to the store's end. */
function shownDates() {
  const end = storeEnd();
  const last = end ? lastDay(end) : f().isoDay(new Date());
  const weekday = (new Date(last).getUTCDay() + 6) % 7;
  const count = (WEEKS - 1) * 7 + weekday + 1;
  return Array.from({ length: count }, (_, at) => plusDays(last, at + 1 - count));
}

/**
 * The part of a day that was observed; of today, of what has passed of it.
 *
 * @param {any} row
 * @param {number} now seconds since 1970
 */
function covered(row, now) {
  const passed = Math.min(row.seconds, Math.max(1, now - Date.parse(row.time) / 1000));
  return Math.min(1, row.observed_seconds / passed);
}

/**
 * The strip in a sentence.
 *
 * @param {any[]} days
 */
function sum(days) {
  const of = (/** @type {string} */ name) => days.filter((row) => grade(row) === name).length;
  const bad = days.filter((row) => losses(row) > 0).length;
  return t("status.quality.sum", {
    count: days.length,
    full: of("full"),
    most: of("most"),
    part: of("part"),
    losses: bad,
  });
}

/**
 * How well a day was observed: whole, for the most part, in part; with losses or without.
 *
 * @param {any} row
 */
function grade(row) {
  if (!row) return "none";
  if (row.coverage >= 0.99) return "full";
  return row.coverage >= 0.8 ? "most" : "part";
}

/** @param {any} row */
const losses = (row) =>
  (row.lost ?? 0) + (row.uncounted ?? 0) + (row.mismatches ?? 0) + (row.nic_dropped ?? 0);

/** Room for the labels of the strip. */
const [LEFT, TOP] = [32, 16];

/**
 * A square for each day, a column for each week; the table below has the same.
 *
 * @param {any[]} days
 * @param {string[]} dates
 */
function strip(days, dates) {
  const found = new Map(days.map((row) => [f().isoDay(new Date(row.time)), row]));
  const squares = dates.map((date, at) => {
    const row = found.get(date);
    const [x, y] = [LEFT + Math.floor(at / 7) * 26, TOP + (at % 7) * 20];
    const text = row
      ? t("status.quality.day", { day: date, share: f().share(row.coverage), lost: f().count(losses(row)) })
      : t("status.quality.day.none", { day: date });
    return svg(
      "g",
      {},
      svg("title", {}, text),
      svg("rect", { x, y, width: 24, height: 18, rx: 2, class: grade(row) }),
      row && losses(row) > 0 ? svg("circle", { cx: x + 12, cy: y + 9, r: 3.5, class: "loss" }) : null,
    );
  });
  const dayOf = (/** @type {number} */ at) => f().dayBegin(dates[at]);
  const weeks = Array.from({ length: Math.ceil(WEEKS / 2) }, (_, at) =>
    svg("text", { x: LEFT + at * 52, y: TOP - 5 }, f().dayOfYear(dayOf(at * 14))),
  );
  const weekdays = [0, 2, 4, 6].map((at) =>
    svg("text", { x: LEFT - 6, y: TOP + at * 20 + 12, "text-anchor": "end" }, f().weekdayName(dayOf(at))),
  );
  return svg(
    "svg",
    {
      class: "strip",
      viewBox: `0 0 ${LEFT + WEEKS * 26} ${TOP + 140}`,
      role: "img",
      "aria-label": t("status.quality.label", { count: WEEKS }),
    },
    weeks,
    weekdays,
    squares,
  );
}

/** What the squares mean. */
function key() {
  const entry = (/** @type {string} */ name) =>
    h(
      "li",
      {},
      svg(
        "svg",
        { class: "strip key", viewBox: "0 0 24 18", width: 24, height: 18, "aria-hidden": "true" },
        svg("rect", { width: 24, height: 18, rx: 2, class: name === "loss" ? "full" : name }),
        name === "loss" ? svg("circle", { cx: 12, cy: 9, r: 3.5, class: "loss" }) : null,
      ),
      t(`quality.${name}`),
    );
  return h("ul", { class: "shades left" }, ["full", "most", "part", "none", "loss"].map(entry));
}

/** @param {any[]} days */
function daysTable(days) {
  const NUMBERS = [
    "packets",
    "lost",
    "malformed",
    "non_ip",
    "unwatched",
    "uncounted",
    "mismatches",
    "nic_dropped",
    "restarts",
  ];
  const { element: box, body } = table({
    caption: t("status.quality.caption", { count: WEEKS }),
    columns: [
      { label: t("status.day") },
      { label: t("history.observed"), class: "n" },
      ...NUMBERS.map((name) => ({ label: t(`quality.${name}`), class: "n" })),
    ],
  });
  body.append(
    ...[...days].reverse().map((row) => {
      const at = new Date(row.time);
      return h(
        "tr",
        {},
        h(
          "th",
          { scope: "row" },
          h("a", { href: link("/history", { period: f().isoDay(at) }) }, f().weekday(at)),
        ),
        h("td", { class: ["n", grade(row) === "part" ? "rise" : null] }, f().share(row.coverage)),
        NUMBERS.map((name) => {
          const bad = ["lost", "uncounted", "mismatches", "nic_dropped"].includes(name) && row[name] > 0;
          return h(
            "td",
            { class: ["n", bad ? "rise" : row[name] === 0 ? "faint" : null] },
            f().count(row[name]),
          );
        }),
      );
    }),
  );
  return box;
}
