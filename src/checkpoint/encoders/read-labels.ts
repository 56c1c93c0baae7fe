import type { ConfigReader } from "../../engine/graph/config-reader.ts";
import { SepError } from "../../errors.ts";

/**
 * A classifier's labels in the order of its logits, from `id2label`.
 * @returns transformers' LABEL_0 and LABEL_1 where the config names none
 * @throws SepError `bad-checkpoint` if they are not numbered from 0 on
 */
export function readLabels(config: ConfigReader): readonly string[] {
  const stated = config.section("id2label");
  if (stated === null) return ["LABEL_0", "LABEL_1"];
  const ids = stated
    .fields()
    .map(Number)
    .sort((a, b) => a - b);
  if (ids.length > 0 && ids.every((id, index) => id === index))
    return ids.map((id) => stated.text(String(id)));
  throw new SepError(
    "bad-checkpoint",
    `${config.path}: "id2label" has the ids ${ids.join(", ")}, expected 0 and so on.`,
  );
}
