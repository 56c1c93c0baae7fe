import { SepError } from "../errors.ts";
import type { Entailer } from "../meaning/entailer.ts";
import type { HubOptions } from "../models/hub/hub.ts";
import type { OpenEmbedder } from "./meaning-models.ts";
import type { StepEvent } from "./step.ts";

export interface OpenEncoderOptions {
  readonly hub: HubOptions | undefined;
  readonly threads: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** PENDING */
export async function* openEntailer(
  reference: string | undefined,
  _options: OpenEncoderOptions,
): AsyncGenerator<StepEvent, Entailer> {
  throw new SepError("model-not-found", `no encoders yet (${reference})`);
}

/** PENDING */
export async function* openEmbedder(
  reference: string | undefined,
  _options: OpenEncoderOptions,
): AsyncGenerator<StepEvent, OpenEmbedder> {
  throw new SepError("model-not-found", `no encoders yet (${reference})`);
}
