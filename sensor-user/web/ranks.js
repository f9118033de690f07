// @ts-check
// Places in rankings. Pure.

/**
 * Places by a figure, the largest first; equal figures share a place.
 *
 * @template T
 * @param {readonly T[]} items
 * @param {(item: T) => number} figure
 * @returns {Map<T, number>}
 */
export function places(items, figure) {
  const order = [...items].sort((a, b) => figure(b) - figure(a));
  /** @type {Map<T, number>} */
  const found = new Map();
  order.forEach((item, at) => {
    const before = order[at - 1];
    const tied = at > 0 && figure(before) === figure(item);
    found.set(item, tied ? /** @type {number} */ (found.get(before)) : at + 1);
  });
  return found;
}

/** Five-minute slots that count as recent: a quarter of an hour. */
const RECENT = 3;

/**
 * How many places each row stands higher by the last quarter of an hour than by the whole hour.
 *
 * @template {{hour: number, series: number[]}} T
 * @param {readonly T[]} rows
 * @returns {Map<T, number>} above 0: on its way up
 */
export function moves(rows) {
  const sum = (/** @type {number[]} */ values) => values.reduce((all, value) => all + value, 0);
  const now = places(rows, (row) => sum((row.series ?? []).slice(-RECENT)));
  const hour = places(rows, (row) => row.hour);
  return new Map(rows.map((row) => [row, (hour.get(row) ?? 0) - (now.get(row) ?? 0)]));
}

/** Shades to a power of ten, counted down from the largest value. */
const PER_DECADE = 2;

/**
 * The shade of a value on a map, from 1 to `steps`; 0 for nothing. The last stands for the largest value and
 * down to a third of it, the one before for a third to a tenth, and so on.
 *
 * @param {number} value
 * @param {number} most
 * @param {number} steps
 */
export function shade(value, most, steps) {
  if (!(value > 0) || !(most > 0)) return 0;
  const level = Math.ceil(steps + PER_DECADE * Math.log10(value / most) - 1e-9);
  return Math.min(steps, Math.max(1, level));
}

/**
 * The largest value that each shade stands for.
 *
 * @param {number} most
 * @param {number} steps
 */
export function bounds(most, steps) {
  return Array.from({ length: steps }, (_, at) =>
    Math.floor(most * 10 ** ((at + 1 - steps) / PER_DECADE) + 1e-6),
  );
}
