import { basename, resolve } from "node:path";
import { SepError } from "../../errors.ts";
import type { TransferDataset } from "../../evaluation/transfer-eval.ts";
import { mean } from "../../math/vector.ts";
import { type HiddenStates, openHiddenStates } from "../../probes/hidden-states.ts";
import { type ProbeDataset, readProbeDataset } from "../../probes/probe-dataset.ts";
import { joinRows, selectRows } from "../../probes/select-rows.ts";
import { splitQuestions } from "../../probes/split-questions.ts";
import type { Question } from "../../questions/question.ts";
import { readJsonl } from "../../store/jsonl.ts";
import { fileExists } from "../file-exists.ts";
import {
  type DataSetName,
  openWorkspace,
  PROBE_SPLITS,
  SPLIT_SOURCES,
  type Workspace,
} from "../workspace.ts";

/** A question set of a workspace, divided by question. */
export interface TransferSet {
  readonly name: string;
  readonly workspace: Workspace;
  readonly set: DataSetName;
  readonly hidden: HiddenStates;
  readonly train: ProbeDataset;
  readonly test: ProbeDataset;
}

/** Whether a workspace's second question set is there. */
export const hasSecondSet = (workspace: Workspace): Promise<boolean> =>
  fileExists(workspace.probeDataset("ood_test"));

/** The files that a comparison of workspaces reads. */
export async function listTransferInputs(workspaces: readonly Workspace[]): Promise<string[]> {
  const paths: string[] = [];
  for (const workspace of workspaces) {
    const withOod = await hasSecondSet(workspace);
    for (const split of PROBE_SPLITS)
      if (withOod || split !== "ood_test") paths.push(workspace.probeDataset(split));
    for (const set of withOod ? SPLIT_SOURCES : (["math"] as const)) {
      paths.push(workspace.hiddenStates(set));
      if (await fileExists(workspace.raw(set))) paths.push(workspace.raw(set));
    }
  }
  return paths;
}

/**
 * Opens every question set of some workspaces. The first set's training questions are those of the study, its
 * validation and test questions together are tested on; the second set, which the study only tests on, is divided in
 * the same shares.
 * @throws SepError `bad-option` for a folder that is given twice, fewer than two data sets, shared questions or different positions,
 * `probe-mismatch` for states of different models, `missing-input`, `bad-artefact`
 */
export async function openTransferSets(folders: readonly string[], seed: number): Promise<TransferSet[]> {
  const roots = folders.map((folder) => resolve(folder));
  const twice = roots.find((root, i) => roots.indexOf(root) !== i);
  if (twice !== undefined) {
    throw new SepError("bad-option", `${twice} is given twice. Give each folder once.`);
  }
  const sets: TransferSet[] = [];
  for (const root of roots) {
    const workspace = openWorkspace(root);
    const isAlone = roots.filter((other) => basename(other) === basename(root)).length === 1;
    const label = isAlone ? basename(root) : root;
    sets.push(await openFirstSet(workspace, `${label}/math`));
    if (await hasSecondSet(workspace)) sets.push(await openSecondSet(workspace, `${label}/ood`, seed));
  }
  if (sets.length < 2) {
    throw new SepError(
      "bad-option",
      `There is one data set, ${sets[0]?.name ?? "none"}, and transfer takes two. Give more folders, or a study with a second question set.`,
    );
  }
  for (const other of sets.slice(1)) requireSameStates(sets[0]!, other);
  await requireOwnQuestions(sets);
  return sets;
}

/** What a set asks: the texts of its questions, or where these are not there, their ids. */
interface AskedQuestions {
  readonly ids: ReadonlySet<string>;
  readonly texts: ReadonlySet<string> | null;
}

/** A question in two data sets would be trained on in one and tested on in the other. */
async function requireOwnQuestions(sets: readonly TransferSet[]): Promise<void> {
  const asked = await Promise.all(sets.map(readAsked));
  asked.forEach((own, place) => {
    for (const [before, other] of asked.slice(0, place).entries()) {
      const [mine, theirs] =
        own.texts !== null && other.texts !== null ? [own.texts, other.texts] : [own.ids, other.ids];
      const shared = [...mine].filter((question) => theirs.has(question)).length;
      if (shared === 0) continue;
      throw new SepError(
        "bad-option",
        `${sets[before]!.name} and ${sets[place]!.name} share ${shared} questions: probes would be tried on questions that they were trained on. Compare data sets of different questions.`,
      );
    }
  });
}

async function readAsked({ workspace, set, train, test }: TransferSet): Promise<AskedQuestions> {
  const ids = new Set([...train.questionIds, ...test.questionIds]);
  const path = workspace.raw(set);
  if (!(await fileExists(path))) return { ids, texts: null };
  const { rows } = await readJsonl(path, { parse: (value) => value as Question });
  const own = rows.filter(({ id }) => ids.has(id));
  return { ids, texts: own.length === ids.size ? new Set(own.map(({ question }) => question.trim())) : null };
}

/** What a comparison says about a data set. */
export function describeTransferSet({ name, workspace, set, train, test }: TransferSet): TransferDataset {
  return {
    name,
    workspace: workspace.root,
    set,
    train_questions: new Set(train.questionIds).size,
    train_rows: train.questionIds.length,
    test_questions: new Set(test.questionIds).size,
    test_rows: test.questionIds.length,
    test_incorrect_share: test.correct.length === 0 ? 0 : 1 - mean(test.correct),
  };
}

async function openFirstSet(workspace: Workspace, name: string): Promise<TransferSet> {
  const [train, val, test] = await Promise.all(
    (["math_train", "math_val", "math_test"] as const).map((split) =>
      readProbeDataset(workspace.probeDataset(split)),
    ),
  );
  const hidden = await openHiddenStates(workspace.hiddenStates("math"));
  return { name, workspace, set: "math", hidden, train: train!, test: joinRows(val!, test!) };
}

async function openSecondSet(workspace: Workspace, name: string, seed: number): Promise<TransferSet> {
  const all = await readProbeDataset(workspace.probeDataset("ood_test"));
  const hidden = await openHiddenStates(workspace.hiddenStates("ood"));
  const own = new Set(splitQuestions(all.questionIds, { seed }).train);
  const rowsWhere = (isTraining: boolean): number[] =>
    all.questionIds.flatMap((question, row) => (own.has(question) === isTraining ? [row] : []));
  return {
    name,
    workspace,
    set: "ood",
    hidden,
    train: selectRows(all, rowsWhere(true)),
    test: selectRows(all, rowsWhere(false)),
  };
}

/** A probe means something only for states of the model, at the place, that it was fitted on. */
function requireSameStates(first: TransferSet, other: TransferSet): void {
  const refuse = (what: string, expected: string, got: string): never => {
    throw new SepError(
      "probe-mismatch",
      `${first.name} and ${other.name} differ in ${what}: "${expected}" against "${got}". Probes only carry over between states of one model, traced alike.`,
    );
  };
  const { hidden: one } = first;
  const { hidden: two } = other;
  if (one.width !== two.width) refuse("width", String(one.width), String(two.width));
  const known = (key: string): boolean => one.metadata[key] !== undefined && two.metadata[key] !== undefined;
  // The same weights may go by two names, so the name only counts where there is no hash.
  const identity = known("weights_sha256") ? "weights_sha256" : "model";
  for (const key of [identity, "tokenizer_sha256", "norm_state", "dtype", "indices"].filter(known)) {
    if (one.metadata[key] !== two.metadata[key]) refuse(key, one.metadata[key]!, two.metadata[key]!);
  }
  if (one.layers.join() !== two.layers.join()) refuse("layers", one.layers.join(), two.layers.join());
  if (first.train.position !== other.train.position) {
    throw new SepError(
      "bad-option",
      `${first.name} reads the ${first.train.position} token and ${other.name} the ${other.train.position} one. Make their data sets for one position with \`sep dataset --position\`.`,
    );
  }
}
