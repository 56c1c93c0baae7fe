import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { SINGLE_POSITIONS, type TracePosition } from "../../src/engine/places.ts";
import { normalQuantile } from "../../src/math/distributions.ts";
import { logistic } from "../../src/math/logistic.ts";
import { createRng, type Rng } from "../../src/math/rng.ts";
import type { RunRecord } from "../../src/samples/run-record.ts";
import { samplesOf } from "../../src/samples/samples.ts";
import { writeJsonl } from "../../src/store/jsonl.ts";
import { writeSafetensors } from "../../src/store/safetensors.ts";
import { estimateQuestions } from "../../src/study/entropy/estimate-questions.ts";
import { type DataSetName, openWorkspace, type Workspace } from "../../src/study/workspace.ts";
import { PLAIN_SAMPLER } from "./plain-sampler.ts";

/** What a synthetic study is like. */
export interface StudyShape {
  readonly questions?: number;
  readonly samples?: number;
  readonly width?: number;
  /** Number of blocks L; layers 0..L are written. */
  readonly blocks?: number;
  readonly seed?: number;
  readonly withOod?: boolean;
  /** Share of samples whose reasoning is cut off. */
  readonly truncatedShare?: number;
  /** How strongly difficulty decides correctness; 0 makes the labels noise. */
  readonly signal?: number;
  /** Every answer is right. */
  readonly allCorrect?: boolean;
  /** Put into questions, answers and reasoning. */
  readonly hostileText?: string;
  /** What a question asks, of the q-th of a set; all differ by default. */
  readonly ask?: (set: DataSetName, q: number) => string;
}

/**
 * Writes the outputs of steps 1 to 4 as the real ones would, from a seed: each question has a difficulty that
 * decides how often its answers are right, how much they disagree, and a direction in the hidden states that grows
 * with the layer. Layer 0 is constant at `think-end`, as embeddings are.
 */
export async function writeStudy(root: string, shape: StudyShape = {}): Promise<Workspace> {
  const workspace = openWorkspace(root);
  const sets: readonly DataSetName[] = (shape.withOod ?? true) ? ["math", "ood"] : ["math"];
  for (const set of sets) await writeSet(workspace, set, shape);
  return workspace;
}

async function writeSet(workspace: Workspace, set: DataSetName, shape: StudyShape): Promise<void> {
  const { questions = 60, samples = 6, seed = 7, hostileText = "", ask = askFor } = shape;
  await mkdir(dirname(workspace.raw(set)), { recursive: true });
  const raw: unknown[] = [];
  const runs: RunRecord[] = [];
  const entropies: unknown[] = [];
  const states: StateRows = { difficulty: [], index: [], counts: new Map() };
  for (let q = 0; q < questions; q++) {
    const rng = createRng("fake-study", set, seed, q);
    const id = `${set}-${String(q).padStart(4, "0")}`;
    const difficulty = gaussian(rng);
    raw.push({ id, question: `${ask(set, q)}${hostileText}`, answer: String(2 * q) });
    const own = Array.from({ length: samples }, (_, run) => makeRun(set, id, q, run, difficulty, rng, shape));
    runs.push(...own);
    entropies.push(describeEntropy(own));
    for (const position of SINGLE_POSITIONS) placeStates(states, position, id, difficulty, own);
  }
  await writeJsonl(workspace.raw(set), raw);
  await writeJsonl(workspace.runs(set), runs);
  await writeJsonl(workspace.semanticEntropy(set), entropies);
  await writeStates(workspace, set, states, shape);
}

const askFor = (set: DataSetName, q: number): string =>
  set === "math" ? `What is ${q} + ${q}?` : `Double the number ${q}.`;

function makeRun(
  set: DataSetName,
  id: string,
  q: number,
  run: number,
  difficulty: number,
  rng: Rng,
  {
    signal = 2,
    truncatedShare = 0,
    allCorrect = false,
    hostileText = "",
    seed = 7,
    ask = askFor,
  }: StudyShape,
): RunRecord {
  const truncated = rng.next() < truncatedShare;
  const right = allCorrect || (!truncated && rng.next() < logistic(-signal * difficulty));
  const answer = right ? String(2 * q) : String(2 * q + 1 + rng.integer(4));
  const thought = `${q} plus ${q} is ${answer}.${hostileText}`;
  const entropy = 0.2 * Math.exp(0.3 * difficulty + 0.5 * gaussian(rng));
  return {
    dataset: set,
    question_id: id,
    run_id: run,
    prompt: ask(set, q),
    output_text: `<think>${thought}</think>\\boxed{${answer}}`,
    think_text: thought,
    answer_text: truncated ? "" : `\\boxed{${answer}}${hostileText}`,
    tokens: [1, 2, 3, 4, 5],
    think_token_indices: truncated ? [0, 5] : [0, 2],
    token_entropies: [entropy, entropy, 0.01, 0.1, 0.1],
    token_logprobs: [-0.1, -0.2 - 0.1 * rng.next(), -0.01, -0.1, -0.1],
    mean_think_entropy: entropy,
    is_correct: right,
    correctness: "math",
    extracted_answer: truncated ? null : answer,
    think_status: truncated ? "truncated" : "closed",
    finish_reason: truncated ? "length" : "stop",
    prompt_tokens: [9, 8, 7],
    seed,
    model: "fake-model",
    sampler: { ...PLAIN_SAMPLER, temperature: 0.6, topP: 0.9, maxNewTokens: 160 },
  };
}

/** Clusters by the answer's text, as the exact relation would. */
function describeEntropy(own: readonly RunRecord[]): unknown {
  const answers = own.map((run) => run.extracted_answer);
  const distinct = [...new Set(answers)];
  const question = {
    samples: { ...samplesOf(own), hiddenStates: null, entailment: null },
    clusterIds: answers.map((answer) => distinct.indexOf(answer)),
    nonTransitiveShare: 0,
    evidence: null,
  };
  return estimateQuestions([question], { equivalence: "exact", now: () => 0 }).records[0];
}

interface StateRows {
  /** The difficulty behind each row, over all positions in order of writing. */
  readonly difficulty: { readonly position: TracePosition; readonly value: number }[];
  readonly index: unknown[];
  readonly counts: Map<TracePosition, number>;
}

function placeStates(
  states: StateRows,
  position: TracePosition,
  questionId: string,
  value: number,
  own: readonly RunRecord[],
): void {
  const runIds: (number | null)[] =
    position === "before-generation"
      ? [null]
      : own
          .filter((run) => position !== "think-end" || run.think_status === "closed")
          .map((run) => run.run_id);
  for (const runId of runIds) {
    const row = states.counts.get(position) ?? 0;
    states.counts.set(position, row + 1);
    states.difficulty.push({ position, value });
    states.index.push({
      position,
      row,
      question_id: questionId,
      run_id: runId,
      token_index: 5,
      token_id: 4,
      token: position === "think-end" ? "</think>" : "x",
    });
  }
}

async function writeStates(
  workspace: Workspace,
  set: DataSetName,
  states: StateRows,
  { width = 12, blocks = 3, seed = 7 }: StudyShape,
): Promise<void> {
  const tensors = SINGLE_POSITIONS.flatMap((position) => {
    const values = states.difficulty.filter((row) => row.position === position).map((row) => row.value);
    return Array.from({ length: blocks + 1 }, (_, layer) => ({
      name: `${position}.layer.${layer}`,
      dtype: "F32" as const,
      shape: [values.length, width],
      data: makeStates(values, width, layer, createRng("fake-states", set, seed, position, layer)),
    }));
  });
  await mkdir(dirname(workspace.hiddenStates(set)), { recursive: true });
  await writeSafetensors(workspace.hiddenStates(set), tensors, {
    model: "fake-model",
    weights_sha256: "abc123",
    norm_state: "residual",
  });
  await writeJsonl(workspace.hiddenStatesIndex(set), states.index);
}

/** [N, width] the difficulty along the odd features, growing with the layer, in unit noise; layer 0 is constant. */
function makeStates(difficulty: readonly number[], width: number, layer: number, rng: Rng): Float32Array {
  const X = new Float32Array(difficulty.length * width);
  for (let i = 0; i < X.length; i++) {
    const along = (i % width) % 2 === 1 ? 0.3 * layer * difficulty[Math.floor(i / width)]! : 0;
    X[i] = layer === 0 ? 0.5 : along + gaussian(rng);
  }
  return X;
}

const gaussian = (rng: Rng): number => normalQuantile(Math.min(Math.max(rng.next(), 1e-12), 1 - 1e-12));
