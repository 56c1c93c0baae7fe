import { loadModel } from "../../checkpoint/load-model.ts";
import { POCKET_MODEL } from "../../checkpoint/locate-checkpoint.ts";
import { type Check, oneLine } from "./check.ts";

/** Loads the embedded model and runs one forward pass. */
export async function checkPocket(signal: AbortSignal): Promise<Check> {
  const name = "embedded model";
  try {
    await using model = await loadModel(POCKET_MODEL);
    const { logits } = await model.prefill([0], { signal });
    if (!logits.every(Number.isFinite)) throw new Error("its logits are not finite numbers");
    const { blockCount, hiddenSize } = model.config;
    return {
      name,
      status: "ok",
      detail: `${blockCount} blocks of width ${hiddenSize}, one forward pass done`,
    };
  } catch (error) {
    return {
      name,
      status: "broken",
      detail: oneLine(error),
      advice: "Reinstall the package: its models/pocket/ is damaged or missing.",
    };
  }
}
