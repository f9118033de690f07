// @ts-check
// Asks for the token where the agent wants one.

import { Problem, closeSession, openSession } from "./api.js";
import { h, replace, setText, unique } from "./dom.js";
import { t } from "./locale.js";
import { recall, remember } from "./memory.js";
import { errorText } from "./parts.js";

/**
 * @typedef {{kept: ChildNode[], form: any, taken: Promise<void>, take: () => void}} Asking
 * `kept`: what stood where the form stands; `take` says that a token was taken
 */

/** @type {Asking | null} */
let asking = null;

/**
 * Shows the form, once for all questions that wait for it; fulfilled when the agent took a token.
 *
 * @param {HTMLElement} main
 * @returns {Promise<void>}
 */
export function askToken(main) {
  if (!asking) {
    let take = () => {};
    const taken = new Promise((/** @type {(value: void) => void} */ done) => {
      take = done;
    });
    asking = { kept: [], form: tokenForm(main), taken, take };
  }
  // Who went elsewhere meanwhile is asked there.
  if (!asking.form.isConnected) {
    asking.kept = [...main.childNodes];
    replace(main, asking.form);
    asking.form.querySelector("#token").focus();
  }
  return asking.taken;
}

/**
 * Says the form in the language of now; whether it is shown.
 *
 * @param {HTMLElement} main
 */
export function sayAgain(main) {
  if (!asking) return false;
  const isShown = asking.form.isConnected;
  asking.form = tokenForm(main);
  if (isShown) replace(main, asking.form);
  return isShown;
}

/** @param {HTMLElement} main */
function tokenForm(main) {
  const errorId = unique("error");
  const said = h("p", { class: "field-error", id: errorId, role: "alert" });
  const input = h("input", {
    type: "password",
    id: "token",
    name: "token",
    autocomplete: "current-password",
    required: true,
    "aria-describedby": errorId,
    spellcheck: "false",
  });
  const button = h("button", { type: "submit", class: "button" }, t("token.open"));
  const form = h(
    "form",
    { class: "message token", method: "post", action: "/" },
    h("h1", { tabindex: -1 }, t("token.heading")),
    h("p", {}, t("token.why")),
    // For what keeps passwords: it wants a name to keep the token under.
    h("input", {
      type: "text",
      name: "username",
      value: "teiten",
      autocomplete: "username",
      hidden: true,
      readonly: true,
    }),
    h("label", { for: "token" }, t("token.label")),
    h("div", { class: "row" }, input, button),
    said,
  );
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await openSession(input.value.trim());
      remember("session", "open");
      const answered = asking;
      asking = null;
      if (answered?.form.isConnected) replace(main, answered.kept);
      answered?.take();
    } catch (error) {
      const wrong = error instanceof Problem && error.status === 401;
      setText(said, wrong ? t("token.wrong") : errorText(error));
      input.setAttribute("aria-invalid", "true");
      input.select();
    } finally {
      button.disabled = false;
    }
  });
  return form;
}

/** What ends the session that this browser opened; null where it opened none. */
export function sessionEnd() {
  if (recall("session") !== "open") return null;
  const said = h("span", { class: "field-error", role: "alert" });
  const end = async () => {
    try {
      await closeSession();
    } catch (error) {
      setText(said, errorText(error));
      return;
    }
    remember("session", null);
    location.reload();
  };
  return [h("button", { type: "button", class: "quiet", onclick: end }, t("token.close")), " ", said];
}
