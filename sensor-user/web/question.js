// @ts-check
// What is asked of the history, as the address of the page has it and as the API wants it. Pure.

/** What rows can be of, and the dimensions that make them. */
export const ROWS = /** @type {Record<string, string[]>} */ ({
  service: ["protocol", "dst_port", "icmp_type"],
  region: ["region"],
  asn: ["asn"],
  tool: ["tool"],
  sensor: ["sensor"],
  prefix: ["prefix"],
  victim: ["protocol", "victim_port"],
  class: ["class"],
  kind: ["kind"],
});

/** What rows may further be split by: docs/output.md, "What can be asked together". */
export const BESIDE = /** @type {Record<string, string[]>} */ ({
  service: ["region", "tool", "prefix", "sensor"],
  region: ["service", "asn", "tool", "sensor"],
  asn: ["region", "sensor"],
  tool: ["service", "region", "sensor"],
  sensor: ["service", "region", "asn", "tool"],
  prefix: ["service", "sensor"],
  victim: ["region", "sensor"],
  class: ["sensor", "kind"],
  kind: ["sensor", "class"],
});

export const CLASSES = ["scan", "backscatter", "other", "any"];
export const TOPS = ["20", "50", "200", "1000"];
export const TOOLS = ["mirai", "zmap", "masscan", "none"];

/**
 * @typedef {{
 *   period: string, rows: string, and: string, port: string, region: string, tool: string, sensor: string,
 *   class: string, family: string, where: string, step: string, top: string, rank: string,
 * }} Question
 */

/**
 * The question of an address. What it does not say, or says wrongly, is as usual.
 *
 * @param {URLSearchParams} params
 * @param {string} period the usual one
 * @returns {Question}
 */
export function read(params, period) {
  const text = (/** @type {string} */ name) => (params.get(name) ?? "").trim();
  const among = (/** @type {string} */ name, /** @type {string[]} */ known, /** @type {string} */ usual) =>
    known.includes(text(name)) ? text(name) : usual;
  const rows = among("rows", Object.keys(ROWS), "service");
  return {
    period: text("period") || period,
    rows,
    and: among("and", BESIDE[rows], ""),
    port: text("port"),
    region: text("region"),
    tool: among("tool", TOOLS, ""),
    sensor: text("sensor"),
    class: among("class", CLASSES, usualClass(rows)),
    family: among("family", ["4", "6"], ""),
    where: text("where"),
    step: among("step", ["hour", "day"], ""),
    top: among("top", TOPS, "20"),
    rank: among("rank", ["packets", "sources"], "packets"),
  };
}

/** @param {string} rows */
const usualClass = (rows) =>
  rows === "victim" ? "backscatter" : rows === "class" || rows === "kind" ? "any" : "scan";

/**
 * The parameters of an address that asks a question; what is as usual is left out.
 *
 * @param {Question} question
 * @param {string} period the usual one
 * @returns {Record<string, string | null>}
 */
export function write(question, period) {
  const usual = read(new URLSearchParams({ rows: question.rows }), period);
  const said = Object.entries(question).filter(
    ([name, value]) => name === "rows" || value !== /** @type {Record<string, string>} */ (usual)[name],
  );
  return Object.fromEntries(said.filter(([name, value]) => !(name === "rows" && value === "service")));
}

/** The dimensions of a question's rows. */
export const dimensions = (/** @type {Question} */ { rows, and }) => [
  ...new Set([...ROWS[rows], ...(and ? ROWS[and] : [])]),
];

/**
 * The condition for a list of ports such as `23, 2323/tcp, 8/icmp`; null where it is no such list.
 *
 * @param {string} text
 * @param {boolean} victim whether ports are those of attacked services
 */
export function portCondition(text, victim) {
  const parts = text.split(/[\s,、]+/).filter(Boolean);
  const conditions = parts.map((part) => {
    const found = /^(\d{1,5})(?:\/(tcp|udp|sctp|icmp|icmpv6))?$/i.exec(part);
    if (!found) return null;
    const [number, protocol] = [Number(found[1]), found[2]?.toLowerCase()];
    const type = protocol?.startsWith("icmp");
    if (number > (type ? 255 : 65_535)) return null;
    const dimension = type ? "icmp_type" : victim ? "victim_port" : "dst_port";
    const port = `${dimension} = ${number}`;
    return protocol ? `${port} and protocol = ${protocol}` : port;
  });
  if (conditions.length === 0 || conditions.includes(null)) return null;
  return conditions.length === 1 ? conditions[0] : `(${conditions.map((one) => `(${one})`).join(" or ")})`;
}

/**
 * The condition for a list of regions such as `CN, US`; null where it is no such list.
 *
 * @param {string} text
 */
export function regionCondition(text) {
  const parts = text.split(/[\s,、]+/).filter(Boolean);
  if (
    parts.length === 0 ||
    !parts.every((part) => /^([A-Za-z]{2}|unknown|non-routable|unattributed)$/.test(part))
  ) {
    return null;
  }
  const codes = parts.map((part) => (part.length === 2 ? part.toUpperCase() : part));
  return codes.length === 1 ? `region = ${codes[0]}` : `region in (${codes.join(", ")})`;
}

/** A value in quotation marks. */
const quoted = (/** @type {string} */ text) => `'${text.replaceAll("'", "''")}'`;

/**
 * The condition of a question's filters, and the fields that cannot be read.
 *
 * @param {Question} question
 * @returns {{where: string, wrong: string[]}}
 */
export function condition(question) {
  const wrong = [];
  const parts = [];
  if (question.port) {
    const ports = portCondition(question.port, question.rows === "victim");
    if (ports) parts.push(ports);
    else wrong.push("port");
  }
  if (question.region) {
    const regions = regionCondition(question.region);
    if (regions) parts.push(regions);
    else wrong.push("region");
  }
  if (question.tool) parts.push(`tool = ${question.tool}`);
  if (question.sensor) parts.push(`sensor = ${quoted(question.sensor)}`);
  if (question.where) parts.push(parts.length > 0 ? `(${question.where})` : question.where);
  return { where: parts.join(" and "), wrong };
}

/**
 * What a question's answer is asked for by, without the period's rows.
 *
 * @param {Question} question
 */
export function parameters(question) {
  return {
    period: question.period,
    by: dimensions(question).join(","),
    where: condition(question).where,
    class: question.class,
    family: question.family,
    top: question.top,
    rank_by: question.rank === "sources" ? "sources" : "",
  };
}

/**
 * What tells a row from the others: its dimensions' values.
 *
 * @param {Record<string, any>} row
 * @param {string[]} dims
 */
export const rowKey = (row, dims) => dims.map((name) => String(row[name] ?? "")).join("|");

/**
 * The service of a row: `23/tcp`; where a row has no port, the protocol; null where even that is unknown.
 *
 * @param {Record<string, any>} row
 * @returns {string | null}
 */
export function serviceOf(row) {
  const number = row.dst_port ?? row.victim_port ?? row.icmp_type;
  if (row.protocol === null || row.protocol === undefined) return null;
  return number === null || number === undefined ? row.protocol : `${number}/${row.protocol}`;
}

/**
 * The condition that picks rows by all their values; null where a row has none that can be named.
 *
 * @param {Record<string, any>[]} rows
 * @param {string[]} dims
 */
export function rowsCondition(rows, dims) {
  if (dims.length === 1) {
    const [name] = dims;
    const values = rows.map((row) => row[name]).filter((value) => value !== null && value !== undefined);
    return values.length > 0
      ? `${name} in (${values.map((value) => literal(name, value)).join(", ")})`
      : null;
  }
  const each = rows.map((row) =>
    dims
      .filter((name) => row[name] !== null && row[name] !== undefined)
      .map((name) => `${name} = ${literal(name, row[name])}`)
      .join(" and "),
  );
  const said = each.filter(Boolean);
  return said.length > 0 ? said.map((one) => `(${one})`).join(" or ") : null;
}

/**
 * @param {string} name
 * @param {any} value
 */
const literal = (name, value) =>
  name === "sensor" || name === "prefix" ? quoted(String(value)) : String(value);

/**
 * The condition of one service.
 *
 * @param {string} service `23/tcp`
 */
export function serviceCondition(service) {
  return /** @type {string} */ (portCondition(service, false));
}

/** Days up to which a series is asked for by the hour, unless somebody asks otherwise. */
const HOURLY = 8;

/**
 * The step of a series over a period.
 *
 * @param {number} seconds
 * @returns {"hour" | "day"}
 */
export const usualStep = (seconds) => (seconds <= HOURLY * 86_400 ? "hour" : "day");
