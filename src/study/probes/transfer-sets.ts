import { basename, resolve } from "node:path";
import { modeOf } from "../../engine/observation.ts";
import { SepError } from "../../errors.ts";
import type { TransferDataset } from "../../evaluation/transfer-eval.ts";
import { mean } from "../../math/vector.ts";
import { joinRows, selectRows } from "../../probes/assemble-dataset.ts";
import type { ProbeDataset } from "../../probes/probe-dataset.ts";
import { splitQuestions } from "../../probes/split-questions.ts";
import { groupQuestions } from "../../samples/near-duplicates.ts";
import type { Question } from "../../samples/question.ts";
import { type HiddenStates, openHiddenStates } from "../../states/hidden-states.ts";
import { readJsonl } from "../../store/jsonl.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import { wasMade } from "../../store/output-ownership.ts";
import { fileExists } from "../../store/read-file.ts";
import { readProbeDataset } from "../probe-files.ts";
import { nameSome } from "../question-overlap.ts";
import {
  type DataSetName,
  openWorkspace,
  PROBE_SPLITS,
  SPLIT_SOURCES,
  type Workspace,
} from "../workspace.ts";
import { hasOodSplit } from "./score-study.ts";

/** A question set of a workspace, divided by question. */
interface OpenedSet {
  readonly name: string;
  readonly workspace: Workspace;
  readonly set: DataSetName;
  readonly hidden: HiddenStates;
  readonly train: ProbeDataset;
  readonly test: ProbeDataset;
}

/** The same beside others. */
export interface TransferSet extends OpenedSet {
  /** What counts as one question, by question id: duplicates share a group, those in other sets as well. */
  readonly groupOf: ReadonlyMap<string, string>;
  /** Test questions that other sets are trained on; `test` is without them. */
  readonly leftOut: readonly string[];
}

/** The files that a comparison of workspaces reads. */
export async function listTransferInputs(workspaces: readonly Workspace[]): Promise<string[]> {
  const paths: string[] = [];
  for (const workspace of workspaces) {
    const withOod = await hasOodSplit(workspace);
    for (const split of PROBE_SPLITS)
      if (withOod || split !== "ood_test") paths.push(workspace.probeDataset(split));
    for (const set of withOod ? SPLIT_SOURCES : (["math"] as const)) {
      paths.push(workspace.hiddenStates(set));
      if (await wasMade(workspace.raw(set))) paths.push(workspace.raw(set));
    }
  }
  return paths;
}

/**
 * Opens every question set of some workspaces. The first set's training questions are those of the study, its
 * validation and test questions together are tested on; the second set, which the study only tests on, is divided in
 * the same shares. Test questions that another set is trained on are left out.
 * @throws SepError `bad-option` for a folder that is given twice, fewer than two data sets, one without a question of its own or different positions,
 * `probe-mismatch` for states of different models, `missing-input`, `bad-artifact`
 */
export async function openTransferSets(folders: readonly string[], seed: number): Promise<TransferSet[]> {
  const roots = folders.map((folder) => resolve(folder));
  const twice = roots.find((root, i) => roots.indexOf(root) !== i);
  if (twice !== undefined) {
    throw new SepError("bad-option", `${twice} is given twice. Give each folder once.`);
  }
  const sets: OpenedSet[] = [];
  for (const root of roots) {
    const workspace = openWorkspace(root);
    const isAlone = roots.filter((other) => basename(other) === basename(root)).length === 1;
    const label = isAlone ? basename(root) : root;
    sets.push(await openFirstSet(workspace, `${label}/math`));
    if (await hasOodSplit(workspace)) sets.push(await openSecondSet(workspace, `${label}/ood`, seed));
  }
  if (sets.length < 2) {
    throw new SepError(
      "bad-option",
      `There is only one data set, ${sets[0]?.name ?? "none"}, but transfer needs two. Give more folders, or a study with a second question set.`,
    );
  }
  for (const other of sets.slice(1)) requireSameStates(sets[0]!, other);
  return separateSets(sets);
}

/**
 * Leaves those questions out of each set's tests that some other set is trained on, in the same words or nearly, and
 * gives what is left its groups.
 * @throws SepError `bad-option` for a set of which nothing is left
 */
async function separateSets(sets: readonly OpenedSet[]): Promise<TransferSet[]> {
  const texts = await Promise.all(sets.map(readTexts));
  const groups = groupOverSets(sets, texts);
  const trained = sets.map(({ train }, place) => ({
    ids: new Set(train.questionIds),
    groups: new Set(train.questionIds.map((id) => groups[place]!.get(id)!)),
  }));
  return sets.map((set, place) => {
    const groupOf = groups[place]!;
    const isTrained = (id: string, source: number): boolean =>
      source !== place &&
      (texts[place] !== null && texts[source] !== null
        ? trained[source]!.groups.has(groupOf.get(id)!)
        : trained[source]!.ids.has(id));
    const sources = [...sets.keys()];
    const questions = [...new Set(set.test.questionIds)];
    const leftOut = questions.filter((id) => sources.some((source) => isTrained(id, source)));
    if (leftOut.length === 0) return { ...set, groupOf, leftOut };
    if (leftOut.length === questions.length) {
      const on = sources.filter((source) => questions.some((id) => isTrained(id, source)));
      throw new SepError(
        "bad-option",
        `All ${questions.length} test questions of ${set.name} are also training questions of ${on.map((source) => sets[source]!.name).join(", ")}: probes would be evaluated on questions that they were trained on. Compare data sets with different questions.`,
      );
    }
    const left = new Set(leftOut);
    const rows = set.test.questionIds.flatMap((id, row) => (left.has(id) ? [] : [row]));
    return { ...set, test: selectRows(set.test, rows), groupOf, leftOut };
  });
}

/**
 * What counts as one question over all sets: a set's own groups, and with known texts, its duplicates in other sets.
 * @returns [set] label by question id
 */
function groupOverSets(
  sets: readonly OpenedSet[],
  texts: readonly (ReadonlyMap<string, string> | null)[],
): readonly ReadonlyMap<string, string>[] {
  const known = texts.flatMap((own, place) => [...(own ?? [])].map(([id, text]) => ({ place, id, text })));
  const { firstOf } = groupQuestions(known.map(({ text }) => text));
  const found = sets.map(() => new Map<string, string>());
  known.forEach(({ place, id }, i) => {
    const first = known[firstOf[i]!]!;
    found[place]!.set(id, `${first.place}/${first.id}`);
  });
  return sets.map(({ train, test }, place) => {
    const own = joinRows(train, test);
    return new Map(
      own.questionIds.map((id, row) => [id, found[place]!.get(id) ?? `${place}/${own.questionGroups[row]}`]),
    );
  });
}

/** @returns null unless the texts of all of a set's questions are there */
async function readTexts({
  workspace,
  set,
  train,
  test,
}: OpenedSet): Promise<ReadonlyMap<string, string> | null> {
  const path = workspace.raw(set);
  if (!(await fileExists(path))) return null;
  const { rows } = await readJsonl(path, { parse: (value) => value as Question });
  const texts = new Map(rows.map(({ id, question }) => [id, question]));
  return [...train.questionIds, ...test.questionIds].every((id) => texts.has(id)) ? texts : null;
}

/** What was left out of the sets' tests, for people. */
export function warnOfLeftOut(sets: readonly TransferSet[]): ManifestWarning[] {
  return sets.flatMap(({ name, leftOut }) =>
    leftOut.length === 0
      ? []
      : [
          {
            code: "shared-questions",
            message: `${name}: ${leftOut.length} test questions are also training questions of another data set, word for word or nearly so, and were left out: ${nameSome(leftOut)}.`,
          },
        ],
  );
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

async function openFirstSet(workspace: Workspace, name: string): Promise<OpenedSet> {
  const [train, val, test] = await Promise.all(
    (["math_train", "math_val", "math_test"] as const).map((split) =>
      readProbeDataset(workspace.probeDataset(split)),
    ),
  );
  const hidden = await openHiddenStates(workspace.hiddenStates("math"));
  return { name, workspace, set: "math", hidden, train: train!, test: joinRows(val!, test!) };
}

async function openSecondSet(workspace: Workspace, name: string, seed: number): Promise<OpenedSet> {
  const all = await readProbeDataset(workspace.probeDataset("ood_test"));
  const hidden = await openHiddenStates(workspace.hiddenStates("ood"));
  const groupOf = new Map(all.questionIds.map((id, row) => [id, all.questionGroups[row]!]));
  const own = new Set(splitQuestions(all.questionIds, { seed, groupOf }).train);
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
function requireSameStates(first: OpenedSet, other: OpenedSet): void {
  const refuse = (what: string, expected: string, got: string): never => {
    throw new SepError(
      "probe-mismatch",
      `${first.name} and ${other.name} differ in ${what}: "${expected}" against "${got}". Probes carry over only between states of the same model, traced in the same way.`,
    );
  };
  const { hidden: one } = first;
  const { hidden: two } = other;
  if (one.width !== two.width) refuse("width", String(one.width), String(two.width));
  const known = (key: string): boolean => one.metadata[key] !== undefined && two.metadata[key] !== undefined;
  // The same weights may go by two names, so the name only counts if there is no hash.
  const identity = known("weights_sha256") ? "weights_sha256" : "model";
  for (const key of [identity, "tokenizer_sha256", "norm_state", "dtype", "indices"].filter(known)) {
    if (one.metadata[key] !== two.metadata[key]) refuse(key, one.metadata[key]!, two.metadata[key]!);
  }
  // what an observer's probe has learnt of one writer may hold for another: the writers may differ
  const modes = [modeOf(one.metadata), modeOf(two.metadata)] as const;
  if (modes[0] !== modes[1]) refuse("mode", ...modes);
  if (one.layers.join() !== two.layers.join()) refuse("layers", one.layers.join(), two.layers.join());
  if (first.train.position !== other.train.position) {
    throw new SepError(
      "bad-option",
      `${first.name} reads the ${first.train.position} token and ${other.name} the ${other.train.position} one. Make their data sets for one position with \`sep dataset --position\`.`,
    );
  }
}
