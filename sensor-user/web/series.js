// @ts-check
// Series in time, made ready to be drawn: where nothing was observed there is a gap, never zero. Pure.

/**
 * @typedef {{from: number, to: number}} Stretch seconds since 1970
 * @typedef {{x: number[], values: (number | null)[][], gaps: Stretch[], begins?: number[], extent?: Stretch}} Drawn
 * `begins`: of the bins, where a point stands elsewhere; `extent`: what the axis of time shows, where that is
 * more than there are figures for
 */

/** Seconds between two intervals that are no gap: a drain takes its time. */
const SLACK = 1.5;

/**
 * Steps from interval to interval; a point at the end of each stretch without a gap, and nothing between.
 *
 * @param {readonly number[]} start
 * @param {readonly number[]} seconds
 * @param {readonly (readonly number[])[]} columns a rate of each interval, per line
 * @returns {Drawn}
 */
export function steps(start, seconds, columns) {
  /** @type {Drawn} */
  const drawn = { x: [], values: columns.map(() => []), gaps: [] };
  const put = (/** @type {number} */ x, /** @type {number | null} */ at) => {
    drawn.x.push(x);
    columns.forEach((column, line) => drawn.values[line].push(at === null ? null : (column[at] ?? null)));
  };
  start.forEach((from, at) => {
    const end = from + seconds[at];
    const next = start[at + 1];
    put(from, at);
    if (next === undefined) {
      put(end, at);
    } else if (next > end + SLACK) {
      put(end, at);
      put(end + SLACK / 2, null);
      drawn.gaps.push({ from: end, to: next });
    }
  });
  return drawn;
}

/**
 * @typedef {{from: number, seconds: number, observed: number}} Bin `observed`: part of it, from 0 to 1
 */

/** Part of a bin that must have been observed for it to be called observed, as in reports. */
export const OBSERVED = 0.8;

/** Seconds that it may take until what was counted is kept. */
const KEPT = 120;

/** Least part of a bin from which the whole is reckoned. */
const LEAST = 0.02;

/**
 * The bins of a period, from rows of data quality. Stretches longer than a step belong to none and are gaps.
 *
 * @param {readonly any[]} rows `time`, `seconds`, `observed_seconds`
 * @param {"hour" | "day"} step
 * @returns {Bin[]}
 */
export function bins(rows, step) {
  const most = step === "day" ? 25 * 3600 : 3600;
  /** @type {Map<number, Bin>} */
  const found = new Map();
  for (const row of rows) {
    const from = Date.parse(row.time) / 1000;
    if (!Number.isFinite(from) || !(row.seconds > 0) || row.seconds > most) continue;
    const observed = Math.min(1, Math.max(0, row.observed_seconds / row.seconds));
    const held = found.get(from);
    if (!held || held.observed < observed) found.set(from, { from, seconds: row.seconds, observed });
  }
  return [...found.values()].sort((a, b) => a.from - b.from);
}

/**
 * Lines through the middle of bins: packets as if each bin had been observed in full. A bin that has packets
 * of none of the rows has none; one that was not observed is a gap. `now` ends a period that is not over yet.
 * `asSeen`: figures that do not grow with the time observed are not reckoned up, and bins that were not
 * observed for long enough are gaps.
 *
 * @param {readonly Bin[]} all
 * @param {readonly Map<number, number>[]} lines figures by the begin of the bin
 * @param {Stretch} period
 * @param {{now?: number, asSeen?: boolean}} [how]
 * @returns {Drawn}
 */
export function lines(all, lines, period, { now = Infinity, asSeen = false } = {}) {
  const until = Math.min(period.to, now);
  /** @type {Drawn} */
  const drawn = { x: [], values: lines.map(() => []), gaps: [], extent: { from: period.from, to: until } };
  /** @type {number[]} */
  const begins = [];
  const gap = (/** @type {number} */ from, /** @type {number} */ to) => {
    const last = drawn.gaps.at(-1);
    if (last && last.to >= from - 1) last.to = to;
    else if (to > from + 1) drawn.gaps.push({ from, to });
  };
  let end = period.from;
  for (const bin of all) {
    const whole = bin.from >= period.from - 1 && bin.from + bin.seconds <= period.to + 1;
    // What reaches beyond the period is not counted, unless the answer says that it was.
    if (!whole && !lines.some((figures) => figures.has(bin.from))) continue;
    if (bin.from > end + 1) {
      gap(end, bin.from);
      drawn.x.push((end + bin.from) / 2);
      begins.push(end);
      for (const values of drawn.values) values.push(null);
    }
    drawn.x.push((bin.from + Math.min(bin.from + bin.seconds, until)) / 2);
    begins.push(bin.from);
    const least = asSeen ? OBSERVED : LEAST;
    lines.forEach((figures, line) => {
      const figure = (figures.get(bin.from) ?? 0) / (asSeen ? 1 : bin.observed);
      drawn.values[line].push(bin.observed < least ? null : figure);
    });
    // Of a bin that is not over, what is over of it must have been observed.
    const over = Math.min(bin.seconds, Math.max(0, now - KEPT - bin.from)) / bin.seconds;
    if (bin.observed < OBSERVED * over) gap(bin.from, Math.min(bin.from + bin.seconds, until));
    end = bin.from + bin.seconds;
  }
  if (Math.min(until, now - KEPT) > end + 1) gap(end, until);
  return { ...drawn, begins };
}

/**
 * Lines put upon each other: each one with the sum of those before it.
 *
 * @param {readonly (readonly (number | null)[])[]} values
 * @returns {(number | null)[][]}
 */
export function stacked(values) {
  /** @type {(number | null)[][]} */
  const sums = [];
  values.forEach((line, at) => {
    const below = sums[at - 1];
    sums.push(line.map((value, x) => (value === null ? null : value + (below?.[x] ?? 0))));
  });
  return sums;
}

/** Least seconds of a slot from which the whole is reckoned. */
const LEAST_SECONDS = 45;

/**
 * A row's slots, those at either end that were observed in part as if they had been in full; without them where
 * that was too short.
 *
 * @param {readonly number[]} values
 * @param {readonly number[]} start begins of the slots, seconds since 1970
 * @param {Stretch} observed
 */
export function whole(values, start, { from, to }) {
  if (values.length !== start.length || start.length < 2) return [...values];
  const length = start[1] - start[0];
  const seconds = start.map((begin) => Math.min(begin + length, to) - Math.max(begin, from));
  return values
    .map((value, at) => (value * length) / Math.max(LEAST_SECONDS, seconds[at]))
    .filter((_, at) => seconds[at] >= LEAST_SECONDS);
}
