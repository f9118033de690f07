// @ts-check
// The frame around the pages: navigation, language, scheme, the token where one is wanted.

import { get, isAbort, onUnauthorised } from "./api.js";
import { askStatus, status } from "./agent.js";
import { h, replace, setText, svg } from "./dom.js";
import { LANGUAGES } from "./i18n.js";
import {
  lang,
  preferred,
  rememberLanguage,
  t,
  takeLanguage,
  takeNames,
  takeZone,
  zoneName,
} from "./locale.js";
import { alert, errorNotice, errorText, loading } from "./parts.js";
import { begin, link, match, note } from "./router.js";
import { SCHEMES, scheme, takeScheme } from "./scheme.js";
import { askToken, sayAgain, sessionEnd } from "./token.js";
import * as history from "./pages/history.js";
import * as live from "./pages/live.js";
import * as missing from "./pages/missing.js";
import * as region from "./pages/region.js";
import * as report from "./pages/report.js";
import * as service from "./pages/service.js";
import * as statusPage from "./pages/status.js";

/**
 * @typedef {{
 *   element: HTMLElement,
 *   title: () => string,
 *   update?: (url: URL) => void,
 *   leave?: () => void,
 * }} Shown
 * `update`: the same page, at another address; without it the page is made anew
 */

/** @type {Record<string, {show: (context: {url: URL, params: Record<string, string>}) => Shown}>} */
const PAGES = { live, history, service, region, report, status: statusPage };

/** Pages of the navigation. */
const PLACES = [
  ["live", "/"],
  ["history", "/history"],
  ["report", "/report"],
  ["status", "/status"],
];

const main = /** @type {HTMLElement} */ (document.getElementById("main"));

/** @type {{key: string, shown: Shown} | null} */
let current = null;

/**
 * @param {URL} url
 * @param {boolean} [isNew] whether the address was gone to, not back or forth
 */
function arrive(url, isNew = false) {
  const wanted = url.searchParams.get("lang");
  if (wanted && LANGUAGES.includes(wanted) && wanted !== lang()) {
    speak(wanted);
    return;
  }
  const place = match(url.pathname);
  const page = place ? PAGES[place.page] : missing;
  const key = place ? `${place.page} ${Object.values(place.params).join(" ")}` : url.pathname;
  if (current?.key === key && current.shown.update && current.shown.element.isConnected) {
    current.shown.update(url);
  } else {
    const first = current === null;
    current?.shown.leave?.();
    const shown = page.show({ url, params: place?.params ?? {} });
    current = { key, shown };
    replace(main, shown.element);
    if (!first) {
      if (isNew) scrollTo(0, 0);
      main.querySelector("h1")?.focus({ preventScroll: true });
    }
  }
  document.title = `${current.shown.title()} · Teiten`;
  frame(place?.page ?? null);
}

/**
 * Header and footer.
 *
 * @param {string | null} page
 */
function frame(page) {
  setText(/** @type {Element} */ (document.getElementById("skip")), t("skip"));
  const brand = h(
    "a",
    { class: "brand", href: link("/") },
    mark(),
    h("span", { class: "word" }, "Teiten"),
    h("span", { class: "kanji", lang: "ja" }, "定点観測"),
  );
  const links = PLACES.map(([name, path]) =>
    h(
      "li",
      {},
      h("a", { href: link(path), "aria-current": name === page ? "page" : null }, t(`nav.${name}`)),
    ),
  );
  const languages = LANGUAGES.map((code) =>
    h(
      "button",
      {
        type: "button",
        lang: code,
        "aria-pressed": String(code === lang()),
        onclick: () => chooseLanguage(code),
      },
      code === "ja" ? "日本語" : "English",
    ),
  );
  const schemes = h(
    "select",
    {
      "aria-label": t("scheme"),
      id: "scheme",
      onchange: (/** @type {any} */ event) => takeScheme(event.target.value),
    },
    SCHEMES.map((name) => h("option", { value: name, selected: name === scheme() }, t(`scheme.${name}`))),
  );
  const header = /** @type {Element} */ (document.getElementById("header"));
  const chosen = header.contains(document.activeElement) && document.activeElement?.getAttribute("lang");
  replace(
    header,
    brand,
    h("nav", { "aria-label": t("nav") }, h("ul", {}, links)),
    h(
      "div",
      { class: "settings" },
      h("div", { class: "choice", role: "group", "aria-label": t("language") }, languages),
      schemes,
    ),
  );
  // The button that chose the language keeps the focus.
  if (chosen) languages.find((button) => button.lang === chosen)?.focus();
  const about = status();
  replace(
    /** @type {Element} */ (document.getElementById("footer")),
    h("p", {}, t("footer.zone", { zone: zoneName() })),
    about
      ? h("p", {}, t("footer.agent", { host: about.host, version: about.version }), " ", sessionEnd())
      : null,
  );
}

/** The fixed point, and what it sees. */
function mark() {
  return svg(
    "svg",
    { viewBox: "0 0 32 32", width: 26, height: 26, "aria-hidden": "true" },
    svg("path", { d: "M6 26.5h20M16 26v-7" }),
    svg("path", { d: "M9.4 15a7 7 0 0 1 13.2 0" }),
    svg("path", { d: "M5 12.4a11.6 11.6 0 0 1 22 0", class: "far" }),
    svg("circle", { cx: 16, cy: 17, r: 2.8 }),
  );
}

/** @param {string} code */
function chooseLanguage(code) {
  rememberLanguage(code);
  if (new URL(location.href).searchParams.has("lang")) note("lang", code);
  speak(code);
}

let spoken = Promise.resolve();

/**
 * Shows everything in a language, as soon as the one that was asked for before is there.
 *
 * @param {string} code
 */
function speak(code) {
  spoken = spoken.then(() => change(code)).catch(fail);
}

/** @param {string} code */
async function change(code) {
  await takeLanguage(code);
  frame(match(location.pathname)?.page ?? null);
  if (!sayAgain(main)) replace(main, loading());
  // Names may have to wait for a token, in which the language may be changed again.
  if (status()) pageAgain(code).catch(fail);
}

/**
 * Shows the page in a language whose messages are there.
 *
 * @param {string} code
 */
async function pageAgain(code) {
  await askNames(code);
  if (code !== lang()) return;
  current?.shown.leave?.();
  current = null;
  arrive(new URL(location.href));
}

/**
 * Asks for names, which are taken unless the language was changed meanwhile.
 *
 * @param {string} code
 */
async function askNames(code) {
  const names = await get("names", { lang: code });
  if (code === lang()) takeNames(names);
}

/** @param {unknown} error */
function fail(error) {
  replace(
    main,
    errorNotice(error, () => location.reload()),
  );
}

/** Seconds between attempts to reach the agent at the start. */
const AGAIN = 5;

async function start() {
  await takeLanguage(preferred());
  frame(match(location.pathname)?.page ?? null);
  replace(main, loading());
  onUnauthorised(() => askToken(main));
  for (;;) {
    try {
      const about = await askStatus();
      takeZone(about.store?.time_zone);
      await askNames(lang());
      break;
    } catch (error) {
      if (isAbort(error)) return;
      replace(main, alert(errorText(error), h("p", {}, t("error.retrying"))));
      await new Promise((done) => setTimeout(done, AGAIN * 1000));
    }
  }
  begin(arrive);
}

start().catch(fail);
