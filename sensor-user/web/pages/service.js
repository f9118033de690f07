// @ts-check
// A service: where packets to it come from, by what, and what happened.

import { h } from "../dom.js";
import { UNKNOWN } from "../format.js";
import { serviceName, t } from "../locale.js";
import { regionCell } from "../parts.js";
import { ROWS, serviceCondition, serviceOf } from "../question.js";
import { showSubject, toolsAndSensors } from "./subject.js";

/** @param {{url: URL, params: Record<string, string>}} context */
export function show({ url, params }) {
  const { service } = params;
  const name = serviceName(service);
  const history = { port: service };
  return showSubject(
    {
      path: `/service/${service}`,
      title: name ? `${service} ${name}` : service,
      heading: [service, name ? h("span", { class: "name" }, " ", name) : null],
      where: serviceCondition(service),
      by: ROWS.service,
      same: (row) => serviceOf(row) === service,
      finding: { service },
      history,
      beside: [
        [
          {
            name: "regions",
            heading: t("live.regions"),
            subject: t("column.region"),
            by: ["region"],
            cell: (row, period) =>
              row.region ? regionCell(row.region, { period }) : t("region.unattributed"),
            history: { rows: "region" },
          },
        ],
        [
          {
            name: "prefixes",
            heading: t("subject.prefixes"),
            subject: t("rows.prefix"),
            by: ["prefix"],
            cell: (row) => row.prefix ?? UNKNOWN,
            history: { rows: "prefix" },
            none: t("subject.prefixes.none"),
          },
        ],
        toolsAndSensors(),
      ],
    },
    url,
  );
}
