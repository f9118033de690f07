// @ts-check
// The language and the time zone of the page as they are now.

import { formats, knowsZone } from "./format.js";
import { choose, say } from "./i18n.js";
import { recall, remember } from "./memory.js";

/** @typedef {{regions: Record<string, string>, services: Record<string, string>}} Names */

let language = "en";
/** @type {import("./i18n.js").Messages} */
let messages = {};
let rules = new Intl.PluralRules(language);
/** @type {string | undefined} */
let zone;
let figures = formats(language, zone);
/** @type {Names} */
let names = { regions: {}, services: {} };

export const lang = () => language;

/** The ways to write figures, in the language and the zone of now. */
export const f = () => figures;

/**
 * A message in the language of now.
 *
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values) {
  return say(messages, rules, figures.count, key, values);
}

/** The language that the address, the viewer's memory and the browser give. */
export function preferred() {
  const asked = new URL(location.href).searchParams.get("lang");
  return choose(asked, recall("language"), navigator.languages ?? [navigator.language]);
}

/**
 * Takes a language up: fetches its messages.
 *
 * @param {string} code
 */
export async function takeLanguage(code) {
  const response = await fetch(`/messages/${code}.json`);
  if (!response.ok) throw new Error(`messages/${code}.json: ${response.status}`);
  messages = await response.json();
  language = code;
  rules = new Intl.PluralRules(code);
  figures = formats(code, zone);
  document.documentElement.lang = code;
}

/**
 * Remembers a language as the viewer's.
 *
 * @param {string} code
 */
export function rememberLanguage(code) {
  remember("language", code);
}

/**
 * Takes the store's time zone up; where there is no store, or the browser does not know the zone, times
 * are the viewer's own.
 *
 * @param {string | null | undefined} name
 */
export function takeZone(name) {
  zone = name && knowsZone(name) ? name : undefined;
  figures = formats(language, zone);
}

/** The name of the zone that times are shown in. */
export const zoneName = () => zone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** @param {Names} given */
export function takeNames(given) {
  names = { regions: given?.regions ?? {}, services: given?.services ?? {} };
}

/** All regions that have a name, by code. */
export const regionNames = () => names.regions;

/**
 * A region's name. Groups that are no region have one of their own.
 *
 * @param {string | null | undefined} code
 */
export function regionName(code) {
  if (code === null || code === undefined) return t("region.unattributed");
  if (["unknown", "non-routable", "unattributed"].includes(code)) return t(`region.${code}`);
  return (Object.hasOwn(names.regions, code) && names.regions[code]) || code;
}

/**
 * A service's name: IANA's, or of a type of ICMP; empty where it has none.
 *
 * @param {string} service
 */
export function serviceName(service) {
  return (Object.hasOwn(names.services, service) && names.services[service]) || "";
}

/**
 * A tool's name.
 *
 * @param {string | null | undefined} tool
 */
export function toolName(tool) {
  if (tool === null || tool === undefined) return t("tool.unattributed");
  return ["mirai", "zmap", "masscan", "none"].includes(tool) ? t(`tool.${tool}`) : tool;
}
