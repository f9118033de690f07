// @ts-check
// Asks for the token where the agent wants one.

import { Problem, closeSession, openSession } from "./api.js";
import { h, replace, setText, unique } from "./dom.js";
import { t } from "./locale.js";
import { recall, remember } from "./memory.js";
import { errorText } from "./parts.js";

/** @type {Promise<void> | null} */
let asking = null;

/**
 * Shows the form, once for all questions that wait for it; fulfilled when the agent took a token.
 *
 * @param {HTMLElement} main
 * @returns {Promise<void>}
 */
export function askToken(main) {
  asking ??= new Promise((done) => {
    const kept = [...main.childNodes];
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
        replace(main, kept);
        asking = null;
        done();
      } catch (error) {
        const wrong = error instanceof Problem && error.status === 401;
        setText(said, wrong ? t("token.wrong") : errorText(error));
        input.setAttribute("aria-invalid", "true");
        input.select();
      } finally {
        button.disabled = false;
      }
    });
    replace(main, form);
    input.focus();
  });
  return asking;
}

/** What ends the session that this browser opened; null where it opened none. */
export function sessionEnd() {
  if (recall("session") !== "open") return null;
  const end = async () => {
    try {
      await closeSession();
    } finally {
      remember("session", null);
      location.reload();
    }
  };
  return h("button", { type: "button", class: "quiet", onclick: end }, t("token.close"));
}
