// @ts-check
// Light or dark, and the colours that canvases need by value.

import { recall, remember } from "./memory.js";

export const SCHEMES = ["auto", "light", "dark"];

/** The scheme that the viewer chose. */
export function scheme() {
  const held = recall("theme");
  return held && SCHEMES.includes(held) ? held : "auto";
}

/**
 * @param {string} name one of `SCHEMES`
 */
export function takeScheme(name) {
  remember("theme", name === "auto" ? null : name);
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  changed();
}

/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * Calls when colours change, until the function it gives back is called.
 *
 * @param {() => void} listener
 */
export function onScheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** @type {Map<string, string>} */
const colours = new Map();

function changed() {
  colours.clear();
  for (const listener of listeners) listener();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);

/** @type {HTMLElement | null} */
let probe = null;

/**
 * A colour of the style sheet by the name of its variable, as a canvas takes it.
 *
 * @param {string} name `--c1`
 */
export function colour(name) {
  let value = colours.get(name);
  if (value === undefined) {
    if (!probe) {
      probe = document.createElement("span");
      probe.hidden = true;
      document.body.append(probe);
    }
    probe.style.color = `var(${name})`;
    value = getComputedStyle(probe).color;
    colours.set(name, value);
  }
  return value;
}
