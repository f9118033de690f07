// @ts-check
// Tables: with a caption, scopes, and a box of their own to scroll in.

import { h, unique } from "./dom.js";

/**
 * @typedef {{label: string | Node, class?: string, title?: string}} Column
 */

/**
 * A table without rows. `hideCaption`: the heading above it says the same.
 *
 * @param {{caption: string, columns: Column[], class?: string, hideCaption?: boolean}} options
 */
export function table({ caption, columns, class: name, hideCaption = false }) {
  const id = unique("caption");
  const captionText = h("span", {}, caption);
  const head = h(
    "tr",
    {},
    columns.map((column) => heading(column)),
  );
  const body = h("tbody");
  const element = h(
    "div",
    { class: "scroll", role: "group", tabindex: 0, "aria-labelledby": id },
    h(
      "table",
      { class: name },
      h("caption", { id, class: hideCaption ? "hidden" : null }, captionText),
      h("thead", {}, head),
      body,
    ),
  );
  return { element, body, head, caption: captionText };
}

/** @param {Column} column */
function heading(column) {
  return h("th", { scope: "col", class: column.class, title: column.title }, column.label);
}

/** Whether the viewer wants things to keep still. */
export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * Keeps the rows of a table's body: those of before are kept by their key, changed and moved, so that what
 * has the focus keeps it and a change of places can be seen.
 *
 * @template T
 * @param {HTMLElement} body
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => {row: HTMLElement, update: (item: T, at: number) => void}} make
 */
export function keyed(body, keyOf, make) {
  /** @type {Map<string, ReturnType<typeof make>>} */
  const held = new Map();
  return (/** @type {T[]} */ items) => {
    const before = new Map([...held].map(([key, entry]) => [key, entry.row.offsetTop]));
    const wanted = items.map((item, at) => {
      const key = keyOf(item);
      const entry = held.get(key) ?? make(item);
      held.set(key, entry);
      entry.update(item, at);
      return /** @type {const} */ ([key, entry]);
    });
    const keys = new Set(wanted.map(([key]) => key));
    for (const [key, entry] of held) {
      if (keys.has(key)) continue;
      entry.row.remove();
      held.delete(key);
    }
    wanted.forEach(([, entry], at) => {
      const there = body.children[at];
      if (there !== entry.row) body.insertBefore(entry.row, there ?? null);
    });
    if (still()) return;
    for (const [key, entry] of wanted) {
      const moved = (before.get(key) ?? entry.row.offsetTop) - entry.row.offsetTop;
      if (moved !== 0 && before.has(key)) {
        entry.row.animate([{ transform: `translateY(${moved}px)` }, { transform: "none" }], {
          duration: 500,
          easing: "cubic-bezier(.2, 0, .1, 1)",
        });
      }
    }
  };
}
