import type { LiveModel } from "../backends/live-model.ts";
import { modeOf } from "../engine/observation.ts";
import type { AssessRiskOptions } from "../probes/assess-risk.ts";
import type { Probe } from "../probes/probe.ts";
import { ApiError } from "./api-error.ts";
import { type AssessmentChoice, createMonitor, type Monitor } from "./monitor.ts";
import { type GenerationChoice, type ResolvedGeneration, resolveGeneration } from "./resolve-generation.ts";

/** A probe as its file has it. */
export interface NamedProbe {
  readonly name: string;
  /** Of its JSON file. */
  readonly sha256: string;
  readonly probe: Probe;
}

/** A probe that a server applies to its model's answers. */
export interface ServedProbe extends NamedProbe {
  readonly generation: ResolvedGeneration;
  readonly monitors: Readonly<Record<NonNullable<AssessRiskOptions["decide"]>, Monitor>>;
  /** The decision of requests that do not say. */
  readonly decide: NonNullable<AssessRiskOptions["decide"]>;
}

/**
 * Binds probes to the model that they were fitted on.
 * @returns by name, in the given order; the first is that of requests that name none
 * @throws SepError `probe-mismatch`, `bad-option` as `createMonitor` and `resolveGeneration`; `bad-option` for two of a name
 */
export function serveProbes(
  live: LiveModel,
  probes: readonly NamedProbe[],
  { decide = "risk", unfamiliar, ...choice }: AssessmentChoice & GenerationChoice,
): ReadonlyMap<string, ServedProbe> {
  const served = new Map<string, ServedProbe>();
  for (const named of probes) {
    const { probe } = named;
    const monitor = (kind: "risk" | "coverage"): Monitor =>
      createMonitor(live, probe, { decide: kind, unfamiliar, mode: modeOf(probe.source) });
    served.set(named.name, {
      ...named,
      generation: resolveGeneration(live.model, probe, { sampling: "study", ...choice }),
      monitors: { risk: monitor("risk"), coverage: monitor("coverage") },
      decide,
    });
  }
  return served;
}

/** @throws ApiError 404 for a name that the server does not have */
export function findProbe(probes: ReadonlyMap<string, ServedProbe>, name: string | undefined): ServedProbe {
  const [first] = probes.values();
  const found = name === undefined ? first : probes.get(name);
  if (found !== undefined) return found;
  throw new ApiError(
    404,
    `There is no probe ${JSON.stringify(name)}, only ${[...probes.keys()].join(", ")}.`,
    {
      param: "sep.probe",
      code: "probe_not_found",
    },
  );
}

export const monitorOf = (
  { monitors, decide }: ServedProbe,
  asked: "risk" | "coverage" | undefined,
): Monitor => monitors[asked ?? decide];

/** @throws ApiError for an observer's probe, which scores answers that are given, where answers are to be generated */
export function requireGenerator({ name, generation }: ServedProbe): void {
  if (generation.reading === null) return;
  throw new ApiError(
    400,
    `The probe ${name} is an observer's: it says nothing of the answers that this model generates, only of those that others wrote. Send them to /v1/risk, or name another probe.`,
    { param: "sep.probe", code: "observer_probe" },
  );
}
