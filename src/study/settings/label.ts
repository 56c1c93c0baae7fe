import { z } from "zod";
import { UNIT_POSITIONS } from "../../engine/places.ts";
import { MEASURED_LABELS } from "../../probes/unit-labels.ts";
import { setting } from "./setting.ts";

/** What `sep label` measures, and of which parts of answers. */
export const LABEL_SETTINGS = {
  label: setting(
    z.enum(MEASURED_LABELS).default("inconsistent"),
    "What to measure. inconsistent: 1 - mean probability that the other samples entail the part, by the study's NLI model; clusters: semantic entropy of answers that go on from its end; docs/places.md.",
    { inFile: false },
  ),
  position: setting(
    z.enum(UNIT_POSITIONS.filter((each) => each !== "every-token")).default("sentence-end"),
    "Parts of answers to measure; the trace must have them.",
    { inFile: false },
  ),
  branch: setting(
    z.int().min(2).default(5),
    "Answers to sample from the end of each part, for --label clusters.",
  ),
  branchTokens: setting(
    z.int().min(1).optional(),
    "Most tokens of such an answer after the end of the part.",
    { fallback: "what the study's token limit leaves" },
  ),
};
