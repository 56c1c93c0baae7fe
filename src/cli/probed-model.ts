import { SepError } from "../errors.ts";
import type { Probe } from "../probes/probe.ts";

/**
 * The model that a probe was fitted on, by its record.
 * @throws SepError `bad-option` for a record without a model
 */
export function nameModel({ model, model_revision: revision }: Probe["source"]): string {
  if (model === undefined)
    throw new SepError(
      "bad-option",
      "The probe does not say which model it was fitted on. Name it with --model.",
    );
  return revision === undefined || model.includes("@") ? model : `${model}@${revision}`;
}
