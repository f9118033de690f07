// @ts-check
// What the viewer chose, kept by the browser. Where it keeps nothing, choices hold until the page is left.

/** @type {Map<string, string>} */
const held = new Map();

/** @param {string} name */
export function recall(name) {
  try {
    return localStorage.getItem(`teiten.${name}`) ?? held.get(name) ?? null;
  } catch {
    return held.get(name) ?? null;
  }
}

/**
 * @param {string} name
 * @param {string | null} value null forgets
 */
export function remember(name, value) {
  if (value === null) held.delete(name);
  else held.set(name, value);
  try {
    if (value === null) localStorage.removeItem(`teiten.${name}`);
    else localStorage.setItem(`teiten.${name}`, value);
  } catch {
    // Storage is switched off or full: the choice holds until the page is left.
  }
}
