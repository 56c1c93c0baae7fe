import type { HubOptions } from "../hub/hub.ts";
import type { PullEvent } from "../hub/pull-event.ts";
import { type CheckpointLocation, locateCheckpoint } from "../locate-checkpoint.ts";
import {
  chooseEncoderFiles,
  type EncoderDtype,
  type EncoderUse,
  type EncoderWeights,
} from "./encoder-files.ts";
import { detectProcessor, type Processor } from "./quantised-exports.ts";

export interface LocateEncoderOptions {
  readonly use: EncoderUse;
  readonly dtype?: EncoderDtype | undefined;
  readonly weights?: EncoderWeights | undefined;
  /** Decides which quantised export is taken; this machine's by default. */
  readonly processor?: Processor | undefined;
  readonly hub?: HubOptions | undefined;
  /** Ends a download. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds an encoder as {@link locateCheckpoint} finds a language model, with the files that an encoder takes.
 * @throws SepError as {@link locateCheckpoint}
 */
export async function* locateEncoder(
  reference: string,
  { use, dtype = "float32", weights = "auto", processor, hub, signal }: LocateEncoderOptions,
): AsyncGenerator<PullEvent, CheckpointLocation> {
  const choice = chooseEncoderFiles({
    use,
    dtype,
    weights,
    processor: processor ?? (await detectProcessor()),
  });
  return yield* locateCheckpoint(reference, { choice, hub, signal });
}
