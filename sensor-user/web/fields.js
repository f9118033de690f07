// @ts-check
// A form whose fields are asked for as soon as they change.

import { h, setText, unique } from "./dom.js";
import { regionNames, t } from "./locale.js";

/**
 * @param {string} words where the fields' labels stand among the messages: `WORDS.NAME`
 * @param {(changed: Record<string, string>) => void} onchange the field that was changed, and what is in it
 */
export function fields(words, onchange) {
  /** @type {Map<string, {input: any, error: any}>} */
  const made = new Map();
  const regions = unique("regions");
  return {
    /**
     * A field with its label, and room for what is wrong with it.
     *
     * @param {string} name
     * @param {any} input
     */
    put(name, input) {
      const [id, errorId] = [unique(name), unique(`${name}-error`)];
      const error = h("p", { class: "field-error", id: errorId, role: "alert" });
      input.id = id;
      input.name = name;
      input.setAttribute("aria-describedby", errorId);
      input.addEventListener("change", () => onchange({ [name]: input.value.trim() }));
      made.set(name, { input, error });
      return h(
        "div",
        { class: ["field", `field-${name}`] },
        h("label", { for: id }, t(`${words}.${name}`)),
        input,
        error,
      );
    },
    /** @param {...any} children */
    form(...children) {
      return h(
        "form",
        { class: "fields", onsubmit: (/** @type {Event} */ event) => event.preventDefault() },
        h(
          "datalist",
          { id: regions },
          Object.entries(regionNames()).map(([code, name]) => h("option", { value: code }, name)),
        ),
        children,
        h("button", { type: "submit", class: "hidden", tabindex: -1 }, t("fields.ask")),
      );
    },
    /**
     * A text field in which a region's code is written.
     *
     * @param {string} placeholder
     * @param {number} size
     */
    region: (placeholder, size) => {
      const input = text(placeholder, size);
      input.setAttribute("list", regions);
      return input;
    },
    /** What is in a field; undefined where there is no such field. */
    input: (/** @type {string} */ name) => made.get(name)?.input,
    /**
     * Says what is wrong with a field.
     *
     * @param {string} name
     * @param {string} said
     */
    fail(name, said) {
      const field = made.get(name);
      if (!field) return;
      setText(field.error, said);
      field.input.setAttribute("aria-invalid", "true");
    },
    /** @param {Record<string, string>} values */
    set(values) {
      for (const [name, { input, error }] of made) {
        input.value = values[name];
        setText(error, "");
        input.removeAttribute("aria-invalid");
      }
    },
  };
}

/** @param {[string, string][]} choices value and text */
export function select(choices) {
  return h(
    "select",
    {},
    choices.map(([value, text]) => h("option", { value }, text)),
  );
}

/**
 * @param {string} placeholder
 * @param {number} size
 */
export function text(placeholder, size) {
  return h("input", {
    type: "text",
    placeholder,
    size,
    autocomplete: "off",
    spellcheck: "false",
    autocapitalize: "off",
  });
}
