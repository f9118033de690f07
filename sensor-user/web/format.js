// @ts-check
// Figures as text, in a language and a time zone. Pure: what they need is given to them.

/** What is not known, or does not apply. */
export const UNKNOWN = "–";

const DAY = 86_400_000;

/**
 * @typedef {ReturnType<typeof formats>} Formats
 */

/**
 * The date some days after another, or before.
 *
 * @param {string} date `2019-10-04`
 * @param {number} days
 */
export function plusDays(date, days) {
  return new Date(Date.parse(`${date}T00:00Z`) + days * DAY).toISOString().slice(0, 10);
}

/**
 * Whether this browser knows a time zone by its IANA name.
 *
 * @param {string} zone
 */
export function knowsZone(zone) {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/**
 * The ways to write figures.
 *
 * @param {string} lang
 * @param {string | undefined} timeZone IANA name; undefined for the viewer's own
 */
export function formats(lang, timeZone) {
  const number = (/** @type {Intl.NumberFormatOptions} */ options) => new Intl.NumberFormat(lang, options);
  const date = (/** @type {Intl.DateTimeFormatOptions} */ options) =>
    new Intl.DateTimeFormat(lang === "en" ? "en-GB" : lang, { timeZone, hourCycle: "h23", ...options });
  const whole = number({ maximumFractionDigits: 0 });
  const tenth = number({ maximumFractionDigits: 1 });
  const digits = [0, 1, 2].map((places) =>
    number({ minimumFractionDigits: places, maximumFractionDigits: places }),
  );
  const short = number({ notation: "compact", maximumSignificantDigits: 3 });
  const tenths = number({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const day = date({ year: "numeric", month: "short", day: "numeric" });
  const dayOfYear = date({ month: "short", day: "numeric" });
  const weekday = date({ weekday: "short", month: "short", day: "numeric" });
  const weekdayName = date({ weekday: "short" });
  const minute = date({ hour: "2-digit", minute: "2-digit" });
  const second = date({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const month = date({ year: "numeric", month: "short" });
  const year = date({ year: "numeric" });
  const isoDay = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short" });
  const isoMinute = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "short" });
  const ago = new Intl.RelativeTimeFormat(lang, { numeric: "always", style: "long" });
  const list = new Intl.ListFormat(lang, { type: "conjunction" });
  const unit = (/** @type {string} */ name, /** @type {number} */ value) => {
    const text = number({ style: "unit", unit: name, unitDisplay: "short", maximumFractionDigits: 0 }).format(
      value,
    );
    return lang === "ja" ? text.replace(" ", "") : text;
  };

  /** @param {number | null | undefined} value */
  const known = (value) => typeof value === "number" && Number.isFinite(value);

  return {
    lang,
    timeZone,

    /** A count: `12,345,678`. */
    count: (/** @type {number | null | undefined} */ value) =>
      known(value) ? whole.format(/** @type {number} */ (value)) : UNKNOWN,

    /** A number with one place at most. */
    number: (/** @type {number | null | undefined} */ value) =>
      known(value) ? tenth.format(/** @type {number} */ (value)) : UNKNOWN,

    /** A count for axes: `12K`, `1.2万`. */
    compact: (/** @type {number | null | undefined} */ value) =>
      known(value) ? short.format(/** @type {number} */ (value)) : UNKNOWN,

    /** Three digits at least where there is more to tell than zero: `1,284`, `42.7`, `0.25`. */
    rate(/** @type {number | null | undefined} */ value) {
      if (!known(value)) return UNKNOWN;
      const size = Math.abs(/** @type {number} */ (value));
      const places = size === 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
      return digits[places].format(/** @type {number} */ (value));
    },

    /** A part of 1: `12.3%`, `<0.1%`, `0.1%未満`. */
    share(/** @type {number | null | undefined} */ value) {
      if (!known(value)) return UNKNOWN;
      const part = /** @type {number} */ (value);
      if (part > 0 && part < 0.001) {
        const least = tenths.format(0.001);
        return lang === "ja" ? `${least}未満` : `<${least}`;
      }
      return part === 0 ? whole.format(0) + "%" : tenths.format(part);
    },

    /** What changed, as a part of what was: `+25.0%`, `−11.1%`. */
    change(/** @type {number | null} */ part) {
      if (!known(part)) return UNKNOWN;
      const value = /** @type {number} */ (part);
      const text =
        Math.abs(value) >= 10 ? whole.format(Math.abs(value) * 100) + "%" : tenths.format(Math.abs(value));
      return value > 0 ? `+${text}` : value < 0 ? `−${text}` : text;
    },

    /** Bytes in powers of ten: `1.2 GB`. */
    bytes(/** @type {number | null | undefined} */ value) {
      if (!known(value)) return UNKNOWN;
      const names = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte", "petabyte"];
      let [size, at] = [/** @type {number} */ (value), 0];
      while (size >= 999.5 && at < names.length - 1) [size, at] = [size / 1000, at + 1];
      return number({
        style: "unit",
        unit: names[at],
        unitDisplay: "short",
        maximumSignificantDigits: Math.max(3, String(Math.trunc(size)).length),
      }).format(size);
    },

    /** A length of time in its two largest units: `2 days 4 hr`. */
    duration(/** @type {number | null | undefined} */ seconds) {
      if (!known(seconds)) return UNKNOWN;
      const left = Math.max(0, Math.round(/** @type {number} */ (seconds)));
      const parts = /** @type {[string, number][]} */ ([
        ["day", Math.floor(left / 86400)],
        ["hour", Math.floor(left / 3600) % 24],
        ["minute", Math.floor(left / 60) % 60],
        ["second", left % 60],
      ]);
      const first = parts.findIndex(([, value]) => value > 0);
      if (first < 0) return unit("second", 0);
      return parts
        .slice(first, first + 2)
        .filter(([, value]) => value > 0)
        .map(([name, value]) => unit(name, value))
        .join(lang === "ja" ? "" : " ");
    },

    /** `3 minutes ago`. */
    ago(/** @type {number} */ seconds) {
      const steps = /** @type {[Intl.RelativeTimeFormatUnit, number][]} */ ([
        ["day", 86400],
        ["hour", 3600],
        ["minute", 60],
        ["second", 1],
      ]);
      const [name, size] = steps.find(([, length]) => seconds >= length) ?? steps[3];
      return ago.format(-Math.floor(Math.max(0, seconds) / size), name);
    },

    day: (/** @type {Date} */ at) => day.format(at),
    dayOfYear: (/** @type {Date} */ at) => dayOfYear.format(at),
    weekday: (/** @type {Date} */ at) => weekday.format(at),
    weekdayName: (/** @type {Date} */ at) => weekdayName.format(at),
    month: (/** @type {Date} */ at) => month.format(at),
    year: (/** @type {Date} */ at) => year.format(at),
    minute: (/** @type {Date} */ at) => minute.format(at),
    second: (/** @type {Date} */ at) => second.format(at),
    /** Day and minute. */
    moment: (/** @type {Date} */ at) => `${day.format(at)} ${minute.format(at)}`,
    /** `2019-10-04`, on the zone's clock. */
    isoDay: (/** @type {Date} */ at) => isoDay.format(at),
    /** `2019-10-04T18:00`, on the zone's clock: what the API takes as a time. */
    isoMinute: (/** @type {Date} */ at) => isoMinute.format(at).replace(" ", "T"),
    /**
     * When a date begins on the zone's clock, which may be changed on that day, even at midnight.
     *
     * @param {string} date `2019-10-04`
     */
    dayBegin(date) {
      const midnight = Date.parse(`${date}T00:00Z`);
      const clock = (/** @type {number} */ at) => Date.parse(`${isoMinute.format(at).replace(" ", "T")}Z`);
      const begins = [midnight - DAY, midnight + DAY].map((at) => midnight - (clock(at) - at));
      const first = begins.sort((a, b) => a - b).find((at) => isoDay.format(at) === date);
      return new Date(first ?? begins[0]);
    },
    list: (/** @type {string[]} */ items) => list.format(items),
  };
}

/**
 * The days of a period: `2019-10-01 – 2019-12-31`, or the one day.
 *
 * @param {Formats} f
 * @param {string | null | undefined} from RFC 3339
 * @param {string | null | undefined} to RFC 3339, not included
 */
export function span(f, from, to) {
  const [start, end] = [toDate(from), toDate(to)];
  if (!start || !end) return UNKNOWN;
  const dash = f.lang === "ja" ? "～" : " – ";
  const midnight = (/** @type {Date} */ at) => f.isoMinute(at).endsWith("T00:00");
  if (!midnight(start) || !midnight(end)) return f.moment(start) + dash + f.moment(end);
  const last = new Date(end.getTime() - 1000);
  return f.isoDay(start) === f.isoDay(last) ? f.day(start) : f.day(start) + dash + f.day(last);
}

/**
 * A time of the API; null where it gave none, or none that can be read.
 *
 * @param {string | null | undefined} text RFC 3339, or a date
 */
export function toDate(text) {
  if (typeof text !== "string") return null;
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? null : at;
}

/**
 * What changed, as a part of what was; null where that was nothing, or is not known.
 *
 * @param {number | null | undefined} now
 * @param {number | null | undefined} before
 */
export function changeOf(now, before) {
  if (typeof now !== "number" || typeof before !== "number" || before === 0) return null;
  return (now - before) / before;
}
