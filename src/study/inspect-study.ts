import { weightsPathOf } from "../probes/probe-file.ts";
import { fileExists } from "../store/file-exists.ts";
import { type ChainFile, openChain } from "./chain.ts";
import { PROBE_SPLITS, SPLIT_SOURCES, type Workspace } from "./workspace.ts";

/**
 * Every file of a study that is there, in the order of the steps, with where it comes from and whether it still
 * follows from that.
 */
export async function inspectStudy(workspace: Workspace): Promise<readonly ChainFile[]> {
  const probes = [workspace.accuracyProbe, workspace.seProbe, workspace.entropyBaseline];
  const perSet = [
    workspace.raw,
    workspace.runs,
    workspace.bestRuns,
    workspace.semanticEntropy,
    workspace.pairVerdicts,
    workspace.hiddenStates,
    workspace.hiddenStatesIndex,
  ];
  const paths = [
    ...SPLIT_SOURCES.flatMap((set) => perSet.map((pathOf) => pathOf(set))),
    ...PROBE_SPLITS.map((split) => workspace.probeDataset(split)),
    ...probes.flatMap((probe) => [probe, weightsPathOf(probe)]),
    ...[workspace.seThreshold, workspace.probeEval, workspace.transfer, workspace.report],
  ];
  const chain = openChain();
  const files: ChainFile[] = [];
  for (const path of paths) if (await fileExists(path)) files.push(await chain.inspect(path));
  return files;
}
