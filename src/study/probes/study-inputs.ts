import { fileExists } from "../../store/read-file.ts";
import { weightsPathOf } from "../probe-files.ts";
import type { Workspace } from "../workspace.ts";

/**
 * What an evaluation of a study reads: probes, data sets, hidden states, answers and entropies. Texts that other
 * tools may not have written are left out where they are not there.
 */
export async function listStudyInputs(workspace: Workspace, withOod: boolean): Promise<string[]> {
  const probes = [workspace.accuracyProbe, workspace.seProbe, workspace.entropyBaseline];
  const ood = withOod ? [workspace.probeDataset("ood_test"), workspace.hiddenStates("ood")] : [];
  const optional = [
    workspace.raw("math"),
    workspace.runs("math"),
    workspace.semanticEntropy("math"),
    ...(withOod ? [workspace.raw("ood"), workspace.runs("ood"), workspace.semanticEntropy("ood")] : []),
  ];
  const texts: string[] = [];
  for (const path of optional) if (await fileExists(path)) texts.push(path);
  return [
    ...probes,
    ...probes.map(weightsPathOf),
    workspace.seThreshold,
    workspace.probeDataset("math_train"),
    workspace.probeDataset("math_val"),
    workspace.probeDataset("math_test"),
    workspace.hiddenStates("math"),
    ...texts,
    ...ood,
  ];
}
