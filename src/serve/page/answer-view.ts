import type { AnswerRisk } from "../answer-request.ts";
import type { MeasuredEntropy } from "../entropy-meter.ts";
import type { TokenRisk } from "../monitor.ts";
import { element } from "./element.ts";
import { describeReading, type Reading, shownValue, stepOf, wordOf } from "./risk-scale.ts";

/** One answer on the page, from its first token to its verdict. */
export interface AnswerView {
  readonly node: HTMLElement;
  readonly text: string;
  add(delta: string, risks: readonly TokenRisk[]): void;
  /** @returns the verdict as a sentence, to be read out */
  end(delta: string, risk: AnswerRisk): string;
  /** Why there is no verdict. */
  fail(reason: string): void;
}

/** @param measure called by the button that draws more answers; shows what comes of it */
export function createAnswerView(measure: (show: (content: Node) => void) => void): AnswerView {
  const body = element("div", {
    class: "text",
    role: "group",
    tabindex: 0,
    "aria-label": "Answer. The arrow keys move from token to token.",
  });
  const readout = element("p", { class: "readout quiet", "aria-live": "polite" });
  const verdict = element("div", { class: "verdict" });
  const node = element("article", { class: "answer", "aria-busy": "true" }, body, readout, verdict);
  const tokens: HTMLSpanElement[] = [];
  let text = "";
  const append = (delta: string): HTMLSpanElement => {
    const token = element("span", { class: "token" }, delta);
    text += delta;
    body.append(token);
    return token;
  };
  walkTokens(body, readout);
  return {
    node,
    get text() {
      return text;
    },
    add(delta, risks) {
      tokens.push(append(delta));
      for (const risk of risks) tint(tokens[risk.index], risk);
    },
    end(delta, risk) {
      node.setAttribute("aria-busy", "false");
      for (const reading of risk.tokens ?? []) tint(tokens[reading.index], reading);
      // what was held back until the decision has its risks by sentence
      if (text === "" && risk.action === null) appendSentences(delta, risk, append);
      else if (delta !== "") append(delta);
      const read = risk.token_index === null ? undefined : tokens[risk.token_index];
      if (read?.textContent) read.classList.add("read");
      verdict.append(describeVerdict(risk), ...(risk.warnings.length === 0 ? [] : [fold(risk.warnings)]));
      verdict.append(entropyPart(measure));
      return readVerdict(risk);
    },
    fail(reason) {
      node.setAttribute("aria-busy", "false");
      verdict.append(element("p", { class: "failure" }, reason));
    },
  };
}

function tint(token: HTMLElement | undefined, reading: Reading): void {
  // a token without a text is part of another one's, or held back
  if (!token?.textContent) return;
  token.dataset.step = String(stepOf(shownValue(reading)));
  token.dataset.reading = describeReading(reading);
}

function appendSentences(
  text: string,
  { spans = [] }: AnswerRisk,
  append: (part: string) => HTMLElement,
): void {
  let shown = 0;
  for (const span of spans) {
    if (span.start > shown) append(text.slice(shown, span.start));
    tint(append(text.slice(span.start, span.end)), span);
    shown = span.end;
  }
  if (shown < text.length) append(text.slice(shown));
}

/** The token under the pointer, or the one that the arrow keys have reached, with its number below the answer. */
function walkTokens(body: HTMLElement, readout: HTMLElement): void {
  let current: HTMLElement | null = null;
  const show = (token: HTMLElement | null): void => {
    current?.classList.remove("current");
    current = token;
    current?.classList.add("current");
    readout.textContent =
      current === null
        ? ""
        : `${JSON.stringify(current.textContent ?? "")}: ${current.dataset.reading ?? "no risk"}`;
  };
  const step = (by: number): void => {
    const all = [...body.querySelectorAll<HTMLElement>(".token")].filter(({ textContent }) => textContent);
    const at = current === null ? (by > 0 ? -1 : all.length) : all.indexOf(current);
    show(all[Math.min(Math.max(at + by, 0), all.length - 1)] ?? null);
  };
  body.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10 }[event.key];
    if (by === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    step(by);
  });
  body.addEventListener("blur", () => show(null));
  body.addEventListener("pointerover", ({ target }) => {
    if (target instanceof HTMLElement && target.classList.contains("token")) show(target);
  });
  body.addEventListener("pointerleave", () => show(null));
}

const DECISIONS = { answer: "Give this answer", abstain: "Do not give this answer" } as const;
const ACTIONS = {
  withheld: "The answer was withheld.",
  resampled: "More answers were drawn, and the commonest meaning is given.",
  escalated: "Another model was asked.",
} as const;
/** What the risk is the probability of. */
export const RISKS: Readonly<Record<AnswerRisk["risk_of"], string>> = {
  incorrect: "that the answer is wrong",
  "final-incorrect": "that the answer is wrong",
  "high-semantic-entropy": "that further answers would mean something else",
  "step-incorrect": "that the last step does not hold",
  spans: "that the last span is wrong",
  inconsistent: "that other answers do not entail the last sentence",
  clusters: "that answers going on from the last sentence disagree in meaning",
  "not-settled": "that the answer is not settled yet",
  "forced-incorrect": "that an answer given at the last step would be wrong",
};
const REASONS = {
  risk: "its risk is above the threshold",
  unfamiliar: "the question is unlike those that the probe was trained on",
  "no-state": "it has no token that the probe reads",
} as const;

function describeVerdict(risk: AnswerRisk): HTMLElement {
  const isKnown = risk.score !== null;
  const value = isKnown ? shownValue(risk as Reading) : null;
  const number = element(
    "p",
    { class: "risk", ...(value === null ? {} : { "data-step": stepOf(value) }) },
    element("b", {}, value === null ? "unknown" : value.toFixed(2)),
    element(
      "span",
      {},
      value === null ? " risk" : ` ${wordOf(value)} ${risk.risk === null ? "score" : "risk"}`,
    ),
  );
  const decision = element(
    "p",
    { class: "decision" },
    element("b", {}, risk.decision === null ? "No decision" : DECISIONS[risk.decision]),
    risk.abstain_reason === null ? "" : `: ${REASONS[risk.abstain_reason]}`,
    ". ",
    risk.action === null ? "" : ACTIONS[risk.action],
    risk.answered_by === undefined ? "" : ` ${risk.answered_by} answered.`,
  );
  return element(
    "div",
    { class: "judged" },
    number,
    element(
      "div",
      {},
      decision,
      element(
        "p",
        { class: "quiet" },
        `The risk is the probability ${RISKS[risk.risk_of]}. ${risk.guarantee}`,
      ),
    ),
  );
}

/** What a screen reader says when the answer is complete. */
function readVerdict(risk: AnswerRisk): string {
  const said = risk.score === null ? "The risk is unknown" : describeReading(risk as Reading);
  const word = risk.score === null ? "" : `, ${wordOf(shownValue(risk as Reading))}`;
  return `${said}${word}. ${risk.decision === null ? "No decision" : DECISIONS[risk.decision]}.`;
}

const fold = (warnings: readonly string[]): HTMLElement =>
  element(
    "details",
    {},
    element("summary", {}, `${warnings.length} ${warnings.length === 1 ? "warning" : "warnings"}`),
    element("ul", {}, ...warnings.map((each) => element("li", {}, each))),
  );

/** Answers that the button draws. */
export const MORE_SAMPLES = 10;

function entropyPart(measure: (show: (content: Node) => void) => void): HTMLElement {
  const result = element("div");
  return element(
    "div",
    { class: "entropy" },
    result,
    element(
      "button",
      { type: "button", onclick: () => measure((content) => result.replaceChildren(content)) },
      `Draw ${MORE_SAMPLES} more and measure the semantic entropy`,
    ),
  );
}

/** The meanings among the samples, the commonest first. */
export function drawEntropy({ clusters, samples, ...measured }: MeasuredEntropy): HTMLElement {
  const nats = measured.semantic_entropy ?? measured.discrete_semantic_entropy;
  return element(
    "div",
    { class: "clusters" },
    element(
      "p",
      {},
      element("b", {}, `${nats.toFixed(2)} nats`),
      ` of semantic entropy, of at most ${Math.log(samples).toFixed(2)}: ${clusters.length} ${clusters.length === 1 ? "meaning" : "meanings"} among ${samples} answers.`,
    ),
    element(
      "ol",
      {},
      ...clusters.map(({ answer, share, members }) => {
        const bar = element("span", { class: "bar", "aria-hidden": "true" });
        bar.style.setProperty("--share", String(share));
        return element(
          "li",
          {},
          bar,
          element("span", { class: "count" }, `${members.length} of ${samples}`),
          element("span", { class: "meaning" }, answer ?? "no answer found"),
        );
      }),
    ),
  );
}
