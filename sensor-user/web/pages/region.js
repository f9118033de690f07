// @ts-check
// A region: where its packets go, by what and from which networks, and what happened.

import { h } from "../dom.js";
import { UNKNOWN } from "../format.js";
import { regionName, t } from "../locale.js";
import { networkCell } from "../networks.js";
import { serviceCell } from "../parts.js";
import { ROWS, regionCondition, serviceOf } from "../question.js";
import { showSubject, toolsAndSensors } from "./subject.js";

/** @param {{url: URL, params: Record<string, string>}} context */
export function show({ url, params }) {
  const { region } = params;
  const name = regionName(region);
  const history = { region };
  const service = (/** @type {any} */ row, /** @type {string} */ period) => {
    const text = serviceOf(row);
    return text?.includes("/") ? serviceCell(text, { period }) : (text ?? UNKNOWN);
  };
  return showSubject(
    {
      path: `/region/${region}`,
      title: name,
      heading: [name, region.length === 2 ? h("span", { class: "name" }, " ", region) : null],
      where: /** @type {string} */ (regionCondition(region)),
      by: ["region"],
      among: "region not in (unknown, non-routable, unattributed)",
      same: (row) => row.region === region,
      finding: { region },
      history,
      beside: [
        [
          {
            name: "ports",
            heading: t("live.ports"),
            subject: t("column.service"),
            by: ROWS.service,
            cell: service,
            history: { rows: "service" },
          },
        ],
        [
          {
            name: "networks",
            heading: t("subject.networks"),
            subject: t("rows.asn"),
            by: ["asn"],
            cell: (row) => networkCell(row.asn),
            history: { rows: "asn" },
          },
        ],
        toolsAndSensors(),
      ],
    },
    url,
  );
}
