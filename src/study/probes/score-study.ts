import { readFile } from "node:fs/promises";
import { EVALUATED_SPLITS } from "../../evaluation/probe-eval.ts";
import { readProbeDataset } from "../../probes/probe-dataset.ts";
import { readProbeFile } from "../../probes/probe-file.ts";
import type { SeThreshold } from "../../probes/se-threshold.ts";
import { openHiddenStates } from "../../states/hidden-states.ts";
import { fileExists } from "../../store/file-exists.ts";
import type { Workspace } from "../workspace.ts";
import { type ScoredSplit, type StudyProbes, scoreSplit } from "./score-split.ts";

/** A trained study, with every held-out row scored. */
export interface ScoredStudy {
  readonly probes: StudyProbes;
  readonly threshold: SeThreshold;
  /** Validation, test, and the second question set if there is one. */
  readonly splits: readonly ScoredSplit[];
}

/**
 * Reads the probes of a study and scores its held-out answers with them.
 * @throws SepError `missing-input`, `bad-artefact`, `probe-mismatch`
 */
export async function scoreStudy(workspace: Workspace): Promise<ScoredStudy> {
  const [accuracy, se, baseline] = await Promise.all(
    [workspace.accuracyProbe, workspace.seProbe, workspace.entropyBaseline].map(readProbeFile),
  );
  const probes = { accuracy: accuracy!, se: se!, baseline: baseline! };
  const threshold = JSON.parse(await readFile(workspace.seThreshold, "utf8")) as SeThreshold;
  const withOod = await fileExists(workspace.probeDataset("ood_test"));
  const splits: ScoredSplit[] = [];
  for (const split of EVALUATED_SPLITS) {
    if (split === "ood_test" && !withOod) continue;
    const dataset = await readProbeDataset(workspace.probeDataset(split));
    const hidden = await openHiddenStates(workspace.hiddenStates(split === "ood_test" ? "ood" : "math"));
    const scores = await scoreSplit(dataset, hidden, probes, threshold.threshold);
    splits.push({ split, dataset, hidden, scores });
  }
  return { probes, threshold, splits };
}
