// @ts-check
// Where nothing is.

import { h } from "../dom.js";
import { t } from "../locale.js";
import { link } from "../router.js";

/** @param {{url: URL}} context */
export function show({ url }) {
  return {
    title: () => t("missing"),
    element: h(
      "div",
      { class: "message" },
      h("h1", { tabindex: -1 }, t("missing")),
      h("p", {}, t("missing.why", { path: url.pathname })),
      h(
        "p",
        {},
        h("a", { class: "button", href: link("/") }, t("nav.live")),
        " ",
        h("a", { class: "button plain", href: link("/history") }, t("nav.history")),
      ),
    ),
  };
}
