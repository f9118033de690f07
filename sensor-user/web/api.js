// @ts-check
// Questions to the agent. Every answer is JSON; every error is a problem (RFC 9457) or the lack of an answer.

const BASE = "/api/v1/";

/** How often a question is asked again that found the agent busy. */
const RETRIES = 3;

/** An error that the agent gave. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {any} body
   * @param {number | null} retryAfter in seconds
   */
  constructor(status, body, retryAfter) {
    const text = (/** @type {string} */ name) => (typeof body?.[name] === "string" ? body[name] : "");
    super(text("detail") || text("title") || String(status));
    this.status = status;
    this.title = text("title");
    this.parameter = text("parameter") || null;
    this.retryAfter = retryAfter;
  }
}

/** The agent gave no answer at all. */
export class Unreachable extends Error {}

/** @type {(() => Promise<void>) | null} */
let authorise = null;

/**
 * Sets what asks the viewer for the token. It is called where the agent wants one, and its promise is
 * fulfilled when a token was taken.
 *
 * @param {() => Promise<void>} how
 */
export function onUnauthorised(how) {
  authorise = how;
}

/**
 * The address of a question. Parameters that are null, undefined, false or empty are left out.
 *
 * @param {string} path
 * @param {Record<string, unknown>} [params]
 */
export function address(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "" && value !== false)
      query.set(name, String(value));
  }
  const text = query.toString();
  return BASE + path + (text ? `?${text}` : "");
}

/**
 * Asks; waits where the agent is busy, and asks for the token where one is wanted.
 *
 * @param {string} path
 * @param {Record<string, unknown>} [params]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function get(path, params = {}, signal) {
  const response = await ask(address(path, params), signal);
  try {
    return await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable();
  }
}

/**
 * @param {string} url
 * @param {AbortSignal} [signal]
 */
async function ask(url, signal) {
  for (let attempt = 0; ; attempt += 1) {
    const response = await reach(url, { signal, headers: { accept: "application/json, */*" } });
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (problem.status === 401 && authorise) {
      await authorise();
    } else if (problem.status === 503 && problem.title === "busy" && attempt < RETRIES) {
      await wait((problem.retryAfter ?? 2) * 1000, signal);
    } else {
      throw problem;
    }
  }
}

/**
 * Gives the token for a session. Wrong: a problem of status 401.
 *
 * @param {string} token
 */
export async function openSession(token) {
  const response = await reach(`${BASE}session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
  if (!response.ok) throw await problemOf(response);
}

/** Ends the session. */
export async function closeSession() {
  const response = await reach(`${BASE}session`, { method: "DELETE" });
  if (!response.ok) throw await problemOf(response);
}

/**
 * @param {string} url
 * @param {RequestInit} init
 */
async function reach(url, init) {
  try {
    return await fetch(url, { credentials: "same-origin", ...init });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Unreachable();
  }
}

/** @param {Response} response */
async function problemOf(response) {
  const after = Number(response.headers.get("retry-after"));
  const body = await response.json().catch(() => null);
  return new Problem(response.status, body, Number.isFinite(after) && after > 0 ? Math.min(after, 30) : null);
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 */
function wait(milliseconds, signal) {
  return new Promise((done, fail) => {
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      fail(signal.reason);
    });
  });
}

/**
 * Whether an error is only that nobody waits for the answer any more.
 *
 * @param {unknown} error
 */
export function isAbort(error) {
  return error instanceof DOMException && error.name === "AbortError";
}
