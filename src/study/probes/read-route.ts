import { readFile } from "node:fs/promises";
import { SepError } from "../../errors.ts";
import type { RouteThreshold } from "../../probes/choose-route-threshold.ts";
import type { Probe } from "../../probes/probe.ts";
import { requireInput } from "../decide-step.ts";
import type { FittedRoute } from "../steps/fit-route.ts";

/** A route that can be followed. */
type UsableRoute = FittedRoute & { readonly threshold: RouteThreshold };

/**
 * Reads what `sep route` wrote.
 * @throws SepError `missing-input`; `bad-artifact` for another file; `bad-option` for a route without a threshold
 */
export async function readRoute(path: string): Promise<UsableRoute> {
  await requireInput(path, "serve");
  const route = parseRoute(await readFile(path, "utf8"));
  const { threshold, reason, probe } = route;
  if (threshold === undefined || typeof probe?.sha256 !== "string")
    throw new SepError("bad-artifact", `${path} is no route. Make it with \`sep route\`.`);
  if (threshold === null)
    throw new SepError(
      "bad-option",
      `${path} has no threshold: ${reason} Fit another route with \`sep route\`.`,
    );
  return { ...route, threshold } as UsableRoute;
}

/** The probe with the route's threshold as its decision of risk: what is above it is not answered here. */
export const followRoute = (probe: Probe, { threshold }: UsableRoute): Probe => {
  const { bound: _bound, target, ...chosen } = threshold;
  const decision = { kind: "risk", target } as const;
  return {
    ...probe,
    decisions: [
      { ...decision, threshold: { ...decision, ...chosen }, reason: null },
      ...probe.decisions.filter(({ kind }) => kind !== "risk"),
    ],
  };
};

function parseRoute(text: string): Partial<FittedRoute> {
  try {
    return (JSON.parse(text) ?? {}) as Partial<FittedRoute>;
  } catch {
    return {}; // whoever reads it says that it is none
  }
}
