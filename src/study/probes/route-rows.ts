import { SepError } from "../../errors.ts";
import type { CostedRows, RivalRouter } from "../../evaluation/evaluate-route.ts";
import { mean } from "../../math/vector.ts";
import { type GradedSamples, gradeImported } from "../../samples/import/grade-imported.ts";
import { importRuns } from "../../samples/import/import-runs.ts";
import { loadQuestions } from "../../samples/load-questions.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import { fileExists } from "../../store/read-file.ts";
import { CORRECTNESS_RULES, type CorrectnessRule, normalizeAnswer } from "../../text/open-answer.ts";
import { warnOfBadRuns } from "../study-answers.ts";
import type { Workspace } from "../workspace.ts";

/** What a large model answers to one question. */
interface LargeAnswer {
  /** Share of its answers that are wrong. */
  readonly incorrect: number;
  /** Mean over its answers; null if it is not known. */
  readonly tokenCount: number | null;
}

/** The answers of a large model, by question id. */
export interface LargeAnswers {
  readonly file: string;
  readonly questions: ReadonlyMap<string, LargeAnswer>;
  readonly answers: number;
  readonly warnings: readonly ManifestWarning[];
}

/**
 * Reads the graded answers of the large model; answers without a grade are graded as those of the study.
 * @param runs of the study, to hold the words of the questions against
 * @throws SepError `bad-option` if questions of the same id have other words; as `importRuns` and `gradeImported`
 */
export async function readLargeAnswers(
  file: string,
  workspace: Workspace,
  runs: readonly RunRecord[],
): Promise<LargeAnswers> {
  const imported = await importRuns(file);
  const raw = workspace.raw("math");
  const references = (await fileExists(raw)) ? (await loadQuestions(raw)).questions : [];
  const graded = gradeImported(imported.questions, references, ruleOf(runs), file);
  refuseOtherQuestions(file, graded.questions, runs);
  const left = graded.withoutQuestion.length + graded.withoutGrade.length;
  return {
    file,
    questions: new Map(graded.questions.map((each) => [each.id, summarise(each)])),
    answers: graded.questions.reduce((total, { isCorrect }) => total + isCorrect.length, 0),
    warnings: [
      ...warnOfBadRuns(imported),
      ...(left === 0
        ? []
        : [
            {
              code: "ungraded-answers",
              message: `${left} questions of ${file} lack their words or a grade.`,
            },
          ]),
    ],
  };
}

/** The study's rule; the usual one where a judge or the user graded its answers. */
const ruleOf = ([run]: readonly RunRecord[]): CorrectnessRule | "auto" =>
  CORRECTNESS_RULES.find((name) => name === run?.correctness) ?? "auto";

const summarise = ({ isCorrect, tokenCounts }: GradedSamples): LargeAnswer => ({
  incorrect: mean(isCorrect.map((correct) => (correct ? 0 : 1))),
  tokenCount: tokenCounts === null ? null : mean(tokenCounts),
});

function refuseOtherQuestions(
  file: string,
  questions: readonly GradedSamples[],
  runs: readonly RunRecord[],
): void {
  const wordsOf = new Map(
    runs.flatMap(({ question_id, question }) => (question ? [[question_id, question]] : [])),
  );
  const other = questions.find(({ id, question }) => {
    const own = wordsOf.get(id);
    return own !== undefined && normalizeAnswer(own) !== normalizeAnswer(question);
  });
  if (other === undefined) return;
  throw new SepError(
    "bad-option",
    `Question ${other.id} is ${JSON.stringify(other.question)} in ${file} and ${JSON.stringify(wordsOf.get(other.id))} in the study. Give the large model's answers to the study's questions.`,
  );
}

/** One answer of the small model, and the large model's to the same question. */
interface RoutedAnswer {
  readonly score: number;
  readonly isIncorrect: boolean;
  /** What counts as its question. */
  readonly group: string;
  readonly large: LargeAnswer;
  /** null for imported data sets without runs */
  readonly run: RunRecord | null;
}

/**
 * Columns of answers: who is right, what each costs, and the scores of rival routers as far as the runs have them.
 * @throws SepError `bad-option` for costs per token where the tokens of an answer are not known
 */
export function routeRows(
  answers: readonly RoutedAnswer[],
  {
    costSmall,
    costLarge,
    costPer,
  }: { readonly costSmall: number; readonly costLarge: number; readonly costPer: "answer" | "token" },
): {
  readonly rows: CostedRows;
  readonly rivals: Partial<Record<Exclude<RivalRouter, "random">, Float64Array>>;
} {
  const column = (read: (answer: RoutedAnswer) => number): Float64Array => Float64Array.from(answers, read);
  const priced = (
    price: number,
    whose: string,
    tokensOf: (answer: RoutedAnswer) => number | null,
  ): Float64Array =>
    column((answer) => {
      if (costPer === "answer") return price;
      const tokens = tokensOf(answer);
      if (tokens !== null) return price * tokens;
      throw new SepError(
        "bad-option",
        `Got costs per token, but how many tokens the ${whose} model's answers have is not known. Give costs per answer.`,
      );
    });
  const rivals = {
    length: column(({ run }) => (run === null ? Number.NaN : lengthOf(run))),
    mean_logprob: column(({ run }) => -meanOf(run?.token_logprobs)),
    token_entropy: column(({ run }) => meanOf(run?.token_entropies)),
  };
  return {
    rows: {
      scores: column(({ score }) => score),
      smallIncorrect: column(({ isIncorrect }) => (isIncorrect ? 1 : 0)),
      largeIncorrect: column(({ large }) => large.incorrect),
      questionIds: answers.map(({ group }) => group),
      smallCost: priced(costSmall, "study's", ({ run }) => run?.tokens.length || null),
      largeCost: priced(costLarge, "large", ({ large }) => large.tokenCount),
    },
    rivals: Object.fromEntries(Object.entries(rivals).filter(([, scores]) => !scores.every(Number.isNaN))),
  };
}

/** In tokens; in characters where there are none, as of texts that were imported. */
const lengthOf = ({ tokens, output_text }: RunRecord): number => tokens.length || output_text.length;

const meanOf = (values: readonly number[] = []): number => (values.length === 0 ? Number.NaN : mean(values));
