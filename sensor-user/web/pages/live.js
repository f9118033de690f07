// @ts-check
// Now, the last hour, and since the agent's start: told anew with every interval.

import { h, hidden, replace, setText, svg } from "../dom.js";
import { chart } from "../chart.js";
import { toDate } from "../format.js";
import { f, regionName, serviceName, t, toolName } from "../locale.js";
import { worldMap } from "../map.js";
import { recall, remember } from "../memory.js";
import { alert, choice, empty, loading, panel, regionCell, serviceCell, setBar, setMove } from "../parts.js";
import { moves } from "../ranks.js";
import { link, note, regionLink } from "../router.js";
import { spark } from "../spark.js";
import { follow } from "../stream.js";
import { steps, whole } from "../series.js";
import { keyed, table } from "../table.js";
import { status } from "../agent.js";

const CLASSES = ["scan", "backscatter", "other"];
/** @type {Record<string, string>} */
const COLOURS = { scan: "--c1", backscatter: "--c2", other: "--c6" };
const SPANS = ["interval", "hour", "total"];

/** Rows of a ranking before the viewer asks for all. */
const ROWS = 12;

/**
 * @param {{url: URL}} context
 */
export function show({ url }) {
  if (!status().agent) return absent();

  const told = contactLine();
  const alerts = h("div", { class: "alerts" });
  const waiting = loading(t("live.waiting"));
  const body = h("div", { class: "board", hidden: true });
  const element = h(
    "div",
    {},
    h("div", { class: "title-line" }, h("h1", { tabindex: -1 }, t("nav.live")), told.element),
    alerts,
    waiting,
    body,
  );

  /** @type {{element: HTMLElement, update: (live: any) => void, leave?: () => void}[]} */
  const parts = [
    hero(),
    series(),
    mapPanel(url),
    ranking({
      name: "ports",
      heading: t("live.ports"),
      subject: t("column.service"),
      rows: (live) => live.services,
      key: (row) => row.service,
      head: (row) => serviceCell(row.service),
      more: link("/history", { rows: "service", period: "-24h" }),
      url,
    }),
    ranking({
      name: "regions",
      heading: t("live.regions"),
      subject: t("column.region"),
      rows: (live) => live.regions,
      key: (row) => row.region,
      head: (row) => regionCell(row.region),
      ranked: (row) => row.region.length === 2,
      sources: true,
      none: status().databases?.some((/** @type {any} */ one) => one.role === "country")
        ? undefined
        : [t("status.missing.country"), " ", h("a", { href: link("/status") }, t("nav.status"))],
      more: link("/history", { rows: "region", period: "-24h" }),
      url,
    }),
    simple(
      "tools-now",
      t("live.tools"),
      t("column.tool"),
      (live) => live.tools,
      (row) => row.tool,
      (row) => [toolName(row.tool)],
    ),
    simple(
      "backscatter",
      t("live.backscatter"),
      t("column.attacked"),
      (live) => live.backscatter,
      (row) => row.service,
      (row) => [row.service, h("span", { class: "name" }, " ", serviceName(row.service))],
      8,
    ),
    outcomes(),
    keeping(),
    places(),
  ].filter((part) => part !== null);
  const column = (/** @type {string[]} */ ...names) =>
    h(
      "div",
      { class: "column" },
      parts.map(({ element }) => names.some((name) => element.classList.contains(name)) && element),
    );
  body.append(...parts.map(({ element }) => element));
  body.append(column("tools-now", "backscatter"), column("outcomes", "keeping"), column("places"));

  /** When the agent started whose figures are shown. */
  let since = "";
  const stop = follow(
    (live) => {
      if (since && since !== live.since) told.restarted();
      since = live.since;
      waiting.hidden = true;
      body.hidden = false;
      replaceAlerts(alerts, live);
      told.news(live);
      for (const part of parts) part.update(live);
    },
    (contact) => {
      if (contact.kind === "absent") {
        replace(element, absent().element);
        return;
      }
      body.classList.toggle("stale", contact.kind === "lost");
      told.contact(contact);
    },
  );

  return {
    element,
    title: () => t("nav.live"),
    leave() {
      stop();
      told.leave();
      for (const part of parts) part.leave?.();
    },
  };
}

/** Where no agent counts there is the past. */
function absent() {
  return {
    title: () => t("nav.live"),
    element: h(
      "div",
      { class: "message" },
      h("h1", { tabindex: -1 }, t("live.absent")),
      h("p", {}, t("live.absent.why")),
      h("p", {}, h("a", { class: "button", href: link("/history") }, t("live.absent.history"))),
    ),
  };
}

/** Whether there is contact, in words; screen readers are told of changes only. */
function contactLine() {
  const dot = h("span", { class: "dot", "aria-hidden": "true" });
  const state = h("span", { class: "state" });
  const detail = h("span", { class: "detail" });
  const announced = h("span", { class: "hidden", role: "status", "aria-live": "polite" });
  const element = h("p", { class: "contact connecting" }, dot, state, " ", detail, announced);
  /** @type {Date | null} */
  let lost = null;
  let restarted = "";
  const tick = setInterval(() => lost && count(), 1000);

  const count = () => {
    if (!lost) return;
    const seconds = (Date.now() - lost.getTime()) / 1000;
    setText(detail, t("contact.since", { time: f().second(lost), ago: f().ago(seconds) }));
  };

  return {
    element,
    /** @param {any} live */
    news(live) {
      const end = toDate(live.time);
      const every = t("contact.every", {
        time: end ? f().second(end) : "",
        seconds: f().number(live.seconds),
      });
      setText(detail, restarted ? `${every} ${restarted}` : every);
    },
    /** @param {import("../stream.js").Contact} contact */
    contact({ kind, since }) {
      lost = kind === "lost" ? since : null;
      element.className = `contact ${kind}`;
      setText(state, t(`contact.${kind}`));
      setText(announced, t(`contact.${kind}`));
      if (lost) count();
      else setText(detail, "");
    },
    restarted() {
      restarted = t("contact.restarted", { time: f().second(new Date()) });
    },
    leave: () => clearInterval(tick),
  };
}

/**
 * What must be seen, with what to do about it.
 *
 * @param {any} live
 */
function troubles(live) {
  const { hour, total } = live;
  const found = [];
  if (total.uncounted > 0) found.push(t("trouble.uncounted", { count: total.uncounted }));
  if (total.mismatches > 0) found.push(t("trouble.mismatches", { count: total.mismatches }));
  if (total.lost > 0) {
    const key = hour.lost > 0 ? "trouble.lost" : "trouble.lost-before";
    found.push(
      t(key, { count: total.lost, hour: f().count(hour.lost), share: f().share(total.lost / total.packets) }),
    );
  }
  for (const one of live.interfaces ?? []) {
    if (!one.up) found.push(t("trouble.down", { interface: one.interface }));
    if (one.dropped > 0) found.push(t("trouble.dropped", { count: one.dropped, interface: one.interface }));
  }
  if (live.store?.trouble) {
    const since = toDate(live.store.since);
    const what = t(`store.${live.store.trouble}`);
    found.push(t("trouble.store", { what, since: since ? f().moment(since) : "–" }));
  }
  if (live.store?.fold_failing) found.push(t("trouble.fold"));
  return found;
}

/**
 * @param {HTMLElement} box
 * @param {any} live
 */
function replaceAlerts(box, live) {
  const found = troubles(live);
  const key = found.join("\n");
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  replace(
    box,
    found.length > 0
      ? alert(
          found[0],
          found.slice(1).map((text) => h("p", {}, text)),
        )
      : null,
  );
}

/** Packets a second, large; the last hour and the total beside it. */
function hero() {
  const rate = h("span", { class: "figure", id: "rate-now" });
  const unit = h("span", { class: "unit" }, t("live.per-second"));
  const split = classSplit();
  const facts = ["hour", "total"].map((span) => fact(span));
  const losses = h("dd", { class: "losses" });
  const element = h(
    "section",
    { class: "hero", "aria-label": t("live.now") },
    h("div", { class: "now" }, h("p", { class: "rate" }, rate, " ", unit), split.element),
    h(
      "dl",
      { class: "facts" },
      facts.map((one) => one.element),
      h("div", {}, h("dt", {}, t("live.losses")), losses),
    ),
  );
  return {
    element,
    /** @param {any} live */
    update(live) {
      setText(rate, f().rate(live.interval.packets / live.seconds));
      split.update(live.interval);
      for (const one of facts) one.update(live);
      const { lost, uncounted, mismatches } = live.total;
      const any = lost + uncounted + mismatches > 0;
      losses.className = any ? "losses some" : "losses none";
      setText(losses, any ? t("live.losses.some", { count: lost + uncounted }) : t("live.losses.none"));
    },
  };
}

/** @param {string} span */
function fact(span) {
  const label = h("dt", {});
  const figure = h("span", { class: "figure" });
  const detail = h("span", { class: "detail" });
  return {
    element: h("div", {}, label, h("dd", {}, figure, detail)),
    /** @param {any} live */
    update(live) {
      const counts = live[span];
      setText(figure, f().count(counts.packets));
      const seconds =
        span === "hour" ? counts.seconds : (Date.parse(live.time) - Date.parse(live.since)) / 1000;
      const from = toDate(span === "hour" ? counts.from : live.since);
      const time = from ? (span === "hour" ? f().minute(from) : f().moment(from)) : "–";
      setText(label, t(span === "hour" ? "live.hour-since" : "live.total-since", { time }));
      setText(
        detail,
        t("live.fact", { rate: f().rate(counts.packets / seconds), bytes: f().bytes(counts.bytes) }),
      );
    },
  };
}

/** Packets by class, as a bar of parts and in words. */
function classSplit() {
  const bars = CLASSES.map((name) => svg("rect", { y: 0, height: 6, class: name }));
  const labels = CLASSES.map((name) => h("span", { class: "value" }, ""));
  const element = h(
    "div",
    { class: "split" },
    svg("svg", { viewBox: "0 0 1000 6", preserveAspectRatio: "none", "aria-hidden": "true" }, bars),
    h(
      "ul",
      {},
      CLASSES.map((name, at) => h("li", { class: name }, t(`class.${name}`), " ", labels[at])),
    ),
  );
  return {
    element,
    /** @param {any} counts */
    update(counts) {
      const all = CLASSES.reduce((sum, name) => sum + counts[name], 0);
      let left = 0;
      CLASSES.forEach((name, at) => {
        const part = all > 0 ? counts[name] / all : 0;
        bars[at].setAttribute("x", (left * 1000).toFixed(1));
        bars[at].setAttribute("width", Math.max(0, part * 1000 - (part > 0 && part < 1 ? 2 : 0)).toFixed(1));
        setText(labels[at], f().share(part));
        left += part;
      });
    },
  };
}

/** The last hour by class. */
function series() {
  const drawing = chart({
    title: t("live.series"),
    unit: t("live.series.unit"),
    lines: CLASSES.map((name) => ({ label: t(`class.${name}`), colour: COLOURS[name] })),
    stack: true,
    height: 250,
    figure: (value) => f().rate(value),
  });
  const { element } = panel("series", t("live.series.heading"), drawing.element);
  return {
    element,
    /** @param {any} live */
    update(live) {
      const { start, seconds } = live.series;
      const rates = CLASSES.map((name) =>
        live.series[name].map(
          (/** @type {number} */ packets, /** @type {number} */ at) => packets / seconds[at],
        ),
      );
      drawing.set(steps(start, seconds, rates));
    },
    leave: () => drawing.destroy(),
  };
}

/**
 * The world. Off where the agent or the viewer says so.
 *
 * @param {URL} url
 */
function mapPanel(url) {
  if (status().map === false) return null;
  const box = h("div", { class: "map-box" });
  const { element, tools } = panel("world", t("live.map"), box);
  let by = url.searchParams.get("map") === "sources" ? "sources" : "packets";
  let off = recall("map") === "off";
  /** @type {any} */
  let live = null;
  /** @type {Awaited<ReturnType<typeof worldMap>> | null} */
  let map = null;

  const figure = (/** @type {any} */ row) => (by === "sources" ? (row.sources ?? 0) : row.hour);
  const draw = () => {
    if (map && live)
      map.draw(new Map(live.regions.map((/** @type {any} */ row) => [row.region, figure(row)])));
  };
  const describe = (/** @type {string} */ code) => {
    const row = live?.regions.find((/** @type {any} */ one) => one.region === code);
    const text = row
      ? t("map.region", { packets: f().count(row.hour), sources: f().count(row.sources) })
      : t("map.nothing");
    return /** @type {[string, string]} */ ([regionName(code), text]);
  };
  const load = async () => {
    replace(box, loading());
    try {
      map = await worldMap({
        describe,
        href: (code) => regionLink(code),
        count: (value) => f().compact(value),
        label: t("map.label"),
      });
      replace(box, map.element);
      draw();
    } catch {
      replace(box, empty(t("map.failed")));
    }
  };
  const toggle = h("button", { type: "button", class: "quiet" });
  const which = choice(
    t("map.by"),
    [
      ["packets", t("column.packets")],
      ["sources", t("column.sources")],
    ],
    by,
    (value) => {
      by = value;
      note("map", value === "packets" ? null : value);
      draw();
    },
  );
  const apply = () => {
    setText(toggle, t(off ? "map.on" : "map.off"));
    element.classList.toggle("off", off);
    element.parentElement?.classList.toggle("without-map", off);
    which.hidden = off;
    box.hidden = off;
    if (!off && !map) load();
  };
  toggle.addEventListener("click", () => {
    off = !off;
    remember("map", off ? "off" : null);
    apply();
  });
  tools.append(which, toggle);
  queueMicrotask(apply);
  return {
    element,
    /** @param {any} now */
    update(now) {
      live = now;
      draw();
    },
  };
}

/**
 * A ranking whose rows move.
 *
 * @param {{
 *   name: string, heading: string, subject: string,
 *   rows: (live: any) => any[], key: (row: any) => string, head: (row: any) => any,
 *   ranked?: (row: any) => boolean, sources?: boolean, none?: any, more: string, url: URL,
 * }} options `none`: what stands where there are no rows
 */
function ranking({
  name,
  heading,
  subject,
  rows,
  key,
  head,
  ranked = () => true,
  sources = false,
  none,
  more,
  url,
}) {
  const parameter = `${name}-by`;
  let by = url.searchParams.get(parameter) ?? "hour";
  if (!SPANS.includes(by)) by = "hour";
  let all = url.searchParams.get(`${name}-all`) === "1";
  /** @type {any} */
  let last = null;

  const { element, tools } = panel(name, heading);
  const columns = [
    { label: t("column.rank"), class: "n rank" },
    { label: hidden(t("column.move")), class: "move", title: t("column.move.title") },
    { label: subject },
    { label: hidden(t("column.spark")), class: "sparks", title: t("column.spark") },
    ...SPANS.map((span) => ({ label: t(`column.${span}`), class: `n ${span}` })),
    { label: t("column.share"), class: "n bar", title: t("column.share.hour") },
    ...(sources
      ? [{ label: t("column.sources.short"), class: "n sources", title: t("column.sources.hour") }]
      : []),
  ];
  const { element: box, body } = table({
    caption: heading,
    columns,
    class: `ranking by-${by}`,
    hideCaption: true,
  });
  const rest = h("p", { class: "note" });
  const toggle = h("button", { type: "button", class: "quiet" });
  const nothing = empty(none ?? t("live.nothing"));
  element.append(
    box,
    nothing,
    h("div", { class: "foot" }, rest, toggle, h("a", { href: more }, t("live.history"))),
  );

  const put = keyed(body, key, (row) => {
    const rank = h("td", { class: "n rank" });
    const move = h("td", { class: "move" });
    const line = spark();
    const counts = SPANS.map((span) => h("td", { class: `n ${span}` }));
    const share = h("td", { class: "n bar" });
    const different = sources ? h("td", { class: "n sources" }) : null;
    const element = h(
      "tr",
      {},
      rank,
      move,
      h("th", { scope: "row" }, head(row)),
      h("td", { class: "sparks" }, line.element),
      counts,
      share,
      different,
    );
    return {
      row: element,
      update({ row: now, series, place, moved, part, most }) {
        setText(rank, String(place));
        setMove(move, moved);
        line.draw(series);
        SPANS.forEach((span, at) => setText(counts[at], f().count(now[span])));
        setText(share, f().share(part));
        setBar(share, most > 0 ? part / most : 0);
        if (different) setText(different, f().count(now.sources));
      },
    };
  });

  const update = (/** @type {any} */ live) => {
    last = live;
    const given = rows(live);
    const inRank = given.filter(ranked).sort((a, b) => b[by] - a[by] || b.hour - a.hour);
    const shown = inRank.slice(0, all ? inRank.length : ROWS);
    const moved = moves(given.filter(ranked));
    const population = given.reduce((sum, row) => sum + row.hour, 0);
    const scans = Math.max(live.hour.scan, population);
    const most = Math.max(0, ...shown.map((row) => row.hour)) / (scans || 1);
    const observed = { from: Date.parse(live.since) / 1000, to: Date.parse(live.time) / 1000 };
    put(
      shown.map((row, at) => ({
        ...row,
        row,
        series: whole(row.series ?? [], live.slots?.start ?? [], observed),
        place: at + 1,
        moved: moved.get(row) ?? 0,
        part: scans > 0 ? row.hour / scans : 0,
        most,
      })),
    );
    box.hidden = shown.length === 0;
    nothing.hidden = shown.length > 0;
    const others = given.filter((row) => !ranked(row) && row.hour > 0);
    setText(
      rest,
      others.length > 0
        ? t("live.not-ranked", {
            list: f().list(others.map((row) => `${regionName(row.region)} ${f().count(row.hour)}`)),
          })
        : "",
    );
    toggle.hidden = inRank.length <= ROWS;
    setText(toggle, all ? t("live.fewer") : t("live.all", { count: inRank.length }));
  };
  toggle.addEventListener("click", () => {
    all = !all;
    note(`${name}-all`, all ? "1" : null);
    if (last) update(last);
  });
  tools.append(
    choice(
      t("live.rank-by"),
      SPANS.map((span) => [span, t(`column.${span}`)]),
      by,
      (value) => {
        by = value;
        note(parameter, value === "hour" ? null : value);
        box.firstElementChild.className = `ranking by-${by}`;
        if (last) update(last);
      },
    ),
  );
  return { element, update };
}

/**
 * A small table: interval, hour, total.
 *
 * @param {string} name
 * @param {string} heading
 * @param {string} subject
 * @param {(live: any) => any[]} rows
 * @param {(row: any) => string} key
 * @param {(row: any) => any} head
 * @param {number} [most]
 */
function simple(name, heading, subject, rows, key, head, most = Infinity) {
  const columns = [{ label: subject }, ...SPANS.map((span) => ({ label: t(`column.${span}`), class: "n" }))];
  const { element: box, body } = table({ caption: heading, columns, hideCaption: true });
  const nothing = empty(t("live.nothing"));
  const { element } = panel(name, heading, box, nothing);
  const put = keyed(body, key, (row) => {
    const cells = SPANS.map(() => h("td", { class: "n" }));
    return {
      row: h("tr", {}, h("th", { scope: "row" }, head(row)), cells),
      update: (now) => SPANS.forEach((span, at) => setText(cells[at], f().count(now[span]))),
    };
  });
  return {
    element,
    /** @param {any} live */
    update(live) {
      const given = rows(live).slice(0, most);
      put(given);
      box.hidden = given.length === 0;
      nothing.hidden = given.length > 0;
    },
  };
}

/** How every frame ended, and what was lost: the book that must balance. */
function outcomes() {
  const ROWS_OF = [
    ["frames", "sum"],
    ["packets", "part"],
    ["non_ip", "part"],
    ["malformed", "part"],
    ["unwatched", "part"],
    ["local", "part"],
    ["lost", "loss"],
    ["uncounted", "loss"],
    ["mismatches", "loss"],
  ];
  const columns = [
    { label: t("column.outcome") },
    ...SPANS.map((span) => ({ label: t(`column.${span}`), class: "n" })),
  ];
  const { element: box, body } = table({ caption: t("live.outcomes"), columns, hideCaption: true });
  const rows = ROWS_OF.map(([name, kind]) => {
    const cells = SPANS.map(() => h("td", { class: "n" }));
    const row = h(
      "tr",
      { class: kind },
      h("th", { scope: "row", title: t(`outcome.${name}.title`) }, t(`outcome.${name}`)),
      cells,
    );
    return { name, kind, row, cells };
  });
  body.append(...rows.map(({ row }) => row));
  const { element } = panel("outcomes", t("live.outcomes"), box);
  return {
    element,
    /** @param {any} live */
    update(live) {
      for (const { name, kind, row, cells } of rows) {
        SPANS.forEach((span, at) => setText(cells[at], f().count(live[span][name])));
        if (kind === "loss") row.classList.toggle("some", live.total[name] > 0);
      }
    },
  };
}

/** Sensors, and the interfaces that they sit on. */
function places() {
  const sensors = table({
    caption: t("live.sensors"),
    columns: [
      { label: t("column.sensor") },
      ...SPANS.map((span) => ({ label: t(`column.${span}`), class: "n" })),
    ],
  });
  const interfaces = table({
    caption: t("live.interfaces"),
    columns: [
      { label: t("column.interface") },
      { label: t("column.mode") },
      { label: t("column.received"), class: "n" },
      { label: t("column.dropped"), class: "n" },
    ],
  });
  const { element } = panel("places", t("live.places"), sensors.element, interfaces.element);
  const putSensors = keyed(
    sensors.body,
    (/** @type {any} */ row) => row.sensor,
    (row) => {
      const cells = SPANS.map(() => h("td", { class: "n" }));
      const role = status().sensors?.find((/** @type {any} */ one) => one.name === row.sensor)?.role;
      const name = [row.sensor, role ? h("span", { class: "name" }, " ", t(`role.${role}`)) : null];
      return {
        row: h("tr", {}, h("th", { scope: "row" }, name), cells),
        update: (now) => SPANS.forEach((span, at) => setText(cells[at], f().count(now[span]))),
      };
    },
  );
  const putInterfaces = keyed(
    interfaces.body,
    (/** @type {any} */ row) => row.interface,
    (row) => {
      const [mode, received, dropped] = [h("td"), h("td", { class: "n" }), h("td", { class: "n" })];
      return {
        row: h("tr", {}, h("th", { scope: "row" }, row.interface), mode, received, dropped),
        update(now) {
          setText(mode, now.up ? t(`mode.${now.mode}`) : t("interface.down"));
          mode.classList.toggle("rise", !now.up);
          setText(received, f().count(now.received));
          setText(dropped, f().count(now.dropped));
          dropped.classList.toggle("rise", now.dropped > 0);
        },
      };
    },
  );
  return {
    element,
    /** @param {any} live */
    update(live) {
      putSensors(live.sensors);
      putInterfaces(live.interfaces);
    },
  };
}

/** What is kept, and what the agent last said. */
function keeping() {
  const store = h("p", { class: "store" });
  const log = h("ol", { class: "log" });
  const quiet = empty(t("live.messages.none"));
  const { element } = panel("keeping", t("live.keeping"), store, h("h3", {}, t("live.messages")), quiet, log);
  return {
    element,
    /** @param {any} live */
    update(live) {
      const until = toDate(live.store?.kept_until);
      const text = !live.store
        ? t("store.none")
        : live.store.trouble
          ? t(`store.${live.store.trouble}`)
          : until
            ? t("store.kept", { time: f().second(until) })
            : t("store.begins");
      setText(store, text);
      store.classList.toggle("some", Boolean(live.store?.trouble));
      const messages = live.messages ?? [];
      const key = messages.join("\n");
      if (log.dataset.key !== key) {
        log.dataset.key = key;
        replace(
          log,
          messages.map((/** @type {string} */ line) => h("li", {}, line)),
        );
      }
      quiet.hidden = messages.length > 0;
    },
  };
}
