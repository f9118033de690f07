// @ts-check
// From an address to a page, and from a click on a link to an address. Every view is a link.

/**
 * @typedef {{page: string, params: Record<string, string>}} Place
 */

const PROTOCOLS = ["tcp", "udp", "sctp", "icmp", "icmpv6"];

/**
 * The page of a path; null where there is none. Pure.
 *
 * @param {string} path
 * @returns {Place | null}
 */
export function match(path) {
  const parts = path.split("/").slice(1);
  if (parts.at(-1) === "") parts.pop();
  const [page, first, second] = parts.map(decoded);
  if (parts.length === 0) return { page: "live", params: {} };
  if (parts.length === 1 && ["history", "report", "status"].includes(page)) return { page, params: {} };
  if (parts.length === 3 && page === "service" && isService(first, second)) {
    return { page, params: { service: `${Number(first)}/${second.toLowerCase()}` } };
  }
  if (
    parts.length === 2 &&
    page === "region" &&
    /^([A-Za-z]{2}|unknown|non-routable|unattributed)$/.test(first)
  ) {
    return { page, params: { region: first.length === 2 ? first.toUpperCase() : first } };
  }
  return null;
}

/**
 * @param {string} number
 * @param {string} protocol
 */
function isService(number, protocol) {
  const name = protocol.toLowerCase();
  const most = name.startsWith("icmp") ? 255 : 65_535;
  return PROTOCOLS.includes(name) && /^\d{1,5}$/.test(number) && Number(number) <= most;
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * An address within the dashboard. Parameters that are null, undefined, false or empty are left out; the
 * language of the present address goes along.
 *
 * @param {string} path
 * @param {Record<string, unknown>} [params]
 */
export function link(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "" && value !== false)
      query.set(name, String(value));
  }
  const lang = new URL(location.href).searchParams.get("lang");
  if (lang && !query.has("lang")) query.set("lang", lang);
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/**
 * Where a service's page is.
 *
 * @param {string} service `23/tcp`
 * @param {Record<string, unknown>} [params]
 */
export const serviceLink = (service, params) => link(`/service/${service}`, params);

/**
 * Where a region's page is.
 *
 * @param {string} region
 * @param {Record<string, unknown>} [params]
 */
export const regionLink = (region, params) => link(`/region/${encodeURIComponent(region)}`, params);

/** @type {(url: URL, isNew?: boolean) => void} */
let arrived = () => {};

/** Path and query of what is shown. */
let shown = "";

/** @param {URL} url */
const viewOf = (url) => url.pathname + url.search;

/**
 * Begins: `onarrive` is called for the present address and each one after it; whether it is a new one, or one
 * that the viewer came back to, which is scrolled to where it was left.
 *
 * @param {(url: URL, isNew: boolean) => void} onarrive
 */
export function begin(onarrive) {
  arrived = (url, isNew = false) => {
    shown = viewOf(url);
    onarrive(url, isNew);
    if (!isNew) scrollBack(history.state?.scrolled ?? 0);
  };
  // The browser's own way knows nothing of a page that fills itself.
  history.scrollRestoration = "manual";
  addEventListener("scrollend", noteScrolled);
  addEventListener("popstate", () => {
    const url = new URL(location.href);
    // The link past the beginning leads to a place on the page, which is shown already.
    if (viewOf(url) !== shown) arrived(url);
  });
  document.addEventListener("click", follow);
  arrived(new URL(location.href));
}

/**
 * Goes to an address of the dashboard.
 *
 * @param {string} href
 * @param {{replace?: boolean}} [how] `replace` leaves no entry for the one before
 */
export function go(href, { replace = false } = {}) {
  const url = new URL(href, location.href);
  noteScrolled();
  stopScrolling();
  if (url.href !== location.href) history[replace ? "replaceState" : "pushState"](null, "", url);
  arrived(url, true);
  noteScrolled();
}

let stopScrolling = () => {};
let isScrolling = false;

/** Notes how far the page is scrolled, for those who come back to it. */
function noteScrolled() {
  if (!isScrolling && history.state?.scrolled !== scrollY)
    history.replaceState({ ...history.state, scrolled: scrollY }, "");
}

/** Seconds after which a page is as long as it was. */
const SETTLED = 5;

/**
 * Scrolls to where the page was left, and stays there while the page fills itself, unless the viewer does anything.
 *
 * @param {number} place
 */
function scrollBack(place) {
  stopScrolling();
  scrollTo(0, place);
  if (place === 0) return;
  isScrolling = true;
  const growth = new ResizeObserver(() => scrollTo(0, place));
  const ended = new AbortController();
  stopScrolling = () => {
    isScrolling = false;
    growth.disconnect();
    ended.abort();
  };
  for (const name of ["wheel", "touchstart", "pointerdown", "keydown"])
    addEventListener(name, stopScrolling, { passive: true, signal: ended.signal });
  const timer = setTimeout(stopScrolling, SETTLED * 1000);
  ended.signal.addEventListener("abort", () => clearTimeout(timer));
  growth.observe(document.body);
}

/**
 * Notes a parameter in the address without arriving anew: what a switch on the page is set to.
 *
 * @param {string} name
 * @param {string | null} value
 */
export function note(name, value) {
  const url = new URL(location.href);
  if (value === null) url.searchParams.delete(name);
  else url.searchParams.set(name, value);
  history.replaceState(history.state, "", url);
  shown = viewOf(url);
}

/** @param {MouseEvent} event */
function follow(event) {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const anchor = event.target instanceof Element ? event.target.closest("a") : null;
  // Links of the map are SVG's: their address is an object.
  const href = anchor?.getAttribute("href");
  if (!anchor || !href?.startsWith("/") || anchor.hasAttribute("target") || anchor.hasAttribute("download"))
    return;
  const url = new URL(href, location.href);
  if (url.origin !== location.origin || url.pathname.startsWith("/api/")) return;
  event.preventDefault();
  go(url.href);
}
