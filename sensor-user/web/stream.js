// @ts-check
// The live object, interval by interval, and whether there is contact with the agent.

import { Problem, get, isAbort } from "./api.js";

/** Intervals without news, and seconds at least, after which contact is lost though the line is open. */
const PATIENCE = { intervals: 3, seconds: 20 };

/** Seconds between attempts where the browser does not try again by itself. */
const RETRY = { first: 2, most: 15 };

/**
 * @typedef {{kind: "connecting" | "live" | "lost" | "absent", since: Date | null}} Contact
 * `since`: of `lost`, when the agent was last heard of.
 */

/**
 * Follows the agent until the function it gives back is called. Comes back by itself whatever happens.
 *
 * @param {(live: any) => void} onlive
 * @param {(contact: Contact) => void} oncontact
 * @returns {() => void}
 */
export function follow(onlive, oncontact) {
  const ended = new AbortController();
  /** @type {EventSource | null} */
  let source = null;
  let patience = 0;
  let retry = RETRY.first;
  /** @type {Date} */
  let heard = new Date();
  let kind = "";

  const tell = (/** @type {Contact["kind"]} */ now) => {
    if (kind === now || ended.signal.aborted) return;
    kind = now;
    oncontact({ kind: now, since: now === "lost" ? heard : null });
  };

  const close = () => {
    clearTimeout(patience);
    source?.close();
    source = null;
  };

  const open = () => {
    if (ended.signal.aborted) return;
    close();
    source = new EventSource("/api/v1/live/stream");
    source.addEventListener("live", (event) => {
      let live;
      try {
        live = JSON.parse(event.data);
      } catch {
        return lose();
      }
      heard = new Date();
      retry = RETRY.first;
      tell("live");
      wait(live.seconds);
      onlive(live);
    });
    source.addEventListener("error", () => {
      tell("lost");
      // While it is connecting the browser tries again by itself; closed, it was refused: ask why.
      if (source?.readyState === EventSource.CLOSED) inquire();
    });
  };

  const wait = (/** @type {number} */ seconds) => {
    clearTimeout(patience);
    const most = Math.max(PATIENCE.seconds, PATIENCE.intervals * (Number(seconds) || 0));
    patience = setTimeout(lose, most * 1000);
  };

  function lose() {
    tell("lost");
    open();
    wait(0);
  }

  const inquire = async () => {
    close();
    await new Promise((done) => setTimeout(done, retry * 1000));
    if (ended.signal.aborted) return;
    retry = Math.min(retry * 2, RETRY.most);
    try {
      await get("live", {}, ended.signal);
      open();
    } catch (error) {
      if (isAbort(error)) return;
      if (error instanceof Problem && error.status === 404) tell("absent");
      else inquire();
    }
  };

  tell("connecting");
  open();
  return () => {
    ended.abort();
    close();
  };
}
