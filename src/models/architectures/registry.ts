import { SepError } from "../../errors.ts";
import type { ConfigReader } from "../config-reader.ts";
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";
import { qwen3 } from "./qwen3.ts";

const ARCHITECTURES: readonly Architecture[] = [llama, qwen3];

/** @throws SepError `unsupported-model` naming the model type and those that are implemented */
export function findArchitecture(config: ConfigReader): Architecture {
  const modelType = config.text("model_type");
  const found = ARCHITECTURES.find((architecture) => architecture.modelTypes.includes(modelType));
  if (found !== undefined) return found;
  const known = ARCHITECTURES.flatMap((architecture) => architecture.modelTypes).join(", ");
  throw new SepError(
    "unsupported-model",
    `${config.path}: model_type "${modelType}" is not implemented; the local engine knows ${known}.`,
  );
}
