// @ts-check
// Autonomous systems with the names of who runs them, which are asked for together, once each.

import { get } from "./api.js";
import { h, setText } from "./dom.js";
import { t } from "./locale.js";

/** As many names as the agent gives at once. */
const MOST = 200;

/** @type {Map<number, string>} */
const names = new Map();

/** Places that wait for the name of a number. @type {Map<number, HTMLElement[]>} */
const waiting = new Map();

let asking = false;

/**
 * A number and, as soon as it is known, the name.
 *
 * @param {number | null} asn
 */
export function networkCell(asn) {
  if (asn === null) return t("asn.unknown");
  const place = h("span", { class: "name clip" });
  const name = names.get(asn);
  if (name === undefined) {
    waiting.set(asn, [...(waiting.get(asn) ?? []), place]);
    if (!asking) {
      asking = true;
      queueMicrotask(ask);
    }
  } else {
    put(place, name);
  }
  return [`AS${asn} `, place];
}

async function ask() {
  while (waiting.size > 0) {
    const numbers = [...waiting.keys()].slice(0, MOST);
    /** @type {Record<string, string>} */
    let told = {};
    try {
      told = await get("networks", { asn: numbers.join(",") });
    } catch {
      // Numbers do without; they are asked for again with the next table.
      waiting.clear();
      break;
    }
    for (const number of numbers) {
      const name = told[number] ?? "";
      names.set(number, name);
      for (const place of waiting.get(number) ?? []) put(place, name);
      waiting.delete(number);
    }
  }
  asking = false;
}

/**
 * @param {HTMLElement} place
 * @param {string} name
 */
function put(place, name) {
  setText(place, name);
  place.title = name;
}
