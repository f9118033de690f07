// @ts-check
// Messages: a text by its key, with values put in. Pure.

/** @typedef {Record<string, string | Record<string, string>>} Messages */

export const LANGUAGES = ["en", "ja"];

/**
 * The language to use: the one asked for in the address, else the one remembered, else the first of the
 * browser's that there is, else English.
 *
 * @param {string | null} asked
 * @param {string | null} remembered
 * @param {readonly string[]} preferred
 */
export function choose(asked, remembered, preferred) {
  const known = (/** @type {string | null} */ code) => (code && LANGUAGES.includes(code) ? code : null);
  const first = preferred.map((tag) => known(tag.toLowerCase().split("-")[0])).find(Boolean);
  return known(asked) ?? known(remembered) ?? first ?? "en";
}

/**
 * A message in a language. A message with forms is said in the one that the language's plural rule gives
 * for the value `count`. `{name}` stands for a value; numbers are written by `number`.
 *
 * @param {Messages} messages
 * @param {Intl.PluralRules} rules
 * @param {(value: number) => string} number
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function say(messages, rules, number, key, values = {}) {
  const entry = messages[key];
  if (entry === undefined) return key;
  const form = typeof entry === "string" ? entry : (entry[rules.select(Number(values.count))] ?? entry.other);
  return form.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === "number" ? number(value) : value;
  });
}
