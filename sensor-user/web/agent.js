// @ts-check
// What the agent says of itself.

import { get } from "./api.js";

/** @type {any} */
let held = null;

/**
 * The agent's status as it was last asked for.
 *
 * @returns {any}
 */
export const status = () => held;

/**
 * Asks for the status.
 *
 * @param {AbortSignal} [signal]
 */
export async function askStatus(signal) {
  held = await get("status", {}, signal);
  return held;
}
