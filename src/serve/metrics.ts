import { logs, SeverityNumber } from "@opentelemetry/api-logs";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Admission } from "./admission.ts";
import type { ServedEnd, ServedToken } from "./answer-request.ts";
import type { ScoreDrift } from "./drift.ts";
import type { ServedProbe } from "./served-probe.ts";

/** What a server counts, in Prometheus' format; an answer's risk also goes out as an OpenTelemetry event. */
export interface ServerMetrics {
  readonly contentType: string;
  text(): Promise<string>;
  countRequest(route: string, status: number, seconds: number): void;
  beginAnswer(
    served: ServedProbe,
    facts: { readonly responseId: string; readonly queueMs: number; readonly promptTokens: number },
  ): { count(event: ServedToken | ServedEnd): void };
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const TOKEN_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28];
const TENTHS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

/** @param drifts one per probe, by name */
export function createMetrics(
  admission: Pick<Admission, "running" | "waiting">,
  drifts: ReadonlyMap<string, ScoreDrift>,
): ServerMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: "sep_requests_total",
    help: "Requests by route and status.",
    labelNames: ["route", "status"],
    registers,
  });
  const requestSeconds = new Histogram({
    name: "sep_request_seconds",
    help: "Time from a request's head to its answer, or to the head of a streamed one.",
    labelNames: ["route"],
    buckets: SECONDS,
    registers,
  });
  const tokens = new Counter({
    name: "sep_tokens_total",
    help: "Tokens of prompts, and tokens generated.",
    labelNames: ["kind"],
    registers,
  });
  const queueSeconds = new Histogram({
    name: "sep_queue_seconds",
    help: "Time that requests waited for room.",
    buckets: SECONDS,
    registers,
  });
  const firstTokenSeconds = new Histogram({
    name: "sep_time_to_first_token_seconds",
    help: "Time from a request's admission to its first token.",
    buckets: SECONDS,
    registers,
  });
  const tokenSeconds = new Histogram({
    name: "sep_inter_token_seconds",
    help: "Time between two tokens of one answer.",
    buckets: TOKEN_SECONDS,
    registers,
  });
  const risks = new Histogram({
    name: "sep_risk",
    help: "Calibrated risk of answers.",
    labelNames: ["probe"],
    buckets: TENTHS,
    registers,
  });
  const decisions = new Counter({
    name: "sep_decisions_total",
    help: "Answers by what their probe decided and what was done about it.",
    labelNames: ["probe", "decision", "action"],
    registers,
  });
  const unfamiliar = new Counter({
    name: "sep_unfamiliar_total",
    help: "Answers whose state is unlike those of the training questions.",
    labelNames: ["probe"],
    registers,
  });
  new Gauge({
    name: "sep_answers_running",
    help: "Answers that are being generated.",
    registers,
    collect() {
      this.set(admission.running);
    },
  });
  new Gauge({
    name: "sep_answers_waiting",
    help: "Answers that wait for room.",
    registers,
    collect() {
      this.set(admission.waiting);
    },
  });
  new Gauge({
    name: "sep_score_drift",
    help: "Population stability index of recent scores against those of the probe's validation questions; above 0.25 they differ.",
    labelNames: ["probe"],
    registers,
    collect() {
      for (const [probe, drift] of drifts) {
        const index = drift.index();
        if (index !== null) this.set({ probe }, index);
      }
    },
  });
  const logger = logs.getLogger("semantic-entropy-probes");
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    countRequest(route, status, seconds) {
      requests.inc({ route, status });
      requestSeconds.observe({ route }, seconds);
    },
    beginAnswer({ name: probe }, { responseId, queueMs, promptTokens }) {
      queueSeconds.observe(queueMs / 1000);
      tokens.inc({ kind: "prompt" }, promptTokens);
      const begun = performance.now();
      const last = new Map<number, number>();
      return {
        count(event) {
          const now = performance.now();
          if (event.kind === "token") {
            tokens.inc({ kind: "generated" });
            const before = last.get(event.row);
            if (before !== undefined) tokenSeconds.observe((now - before) / 1000);
            else if (last.size === 0) firstTokenSeconds.observe((now - begun) / 1000);
            last.set(event.row, now);
            return;
          }
          const { sep } = event;
          if (sep.risk !== null) risks.observe({ probe }, sep.risk);
          decisions.inc({ probe, decision: sep.decision ?? "none", action: sep.action ?? "none" });
          if (sep.familiarity?.is_unfamiliar) unfamiliar.inc({ probe });
          if (sep.score !== null) drifts.get(probe)?.add(sep.score);
          logger.emit({
            eventName: "gen_ai.evaluation.result",
            severityNumber: SeverityNumber.INFO,
            attributes: {
              "gen_ai.evaluation.name": probe,
              ...(sep.risk === null ? {} : { "gen_ai.evaluation.score.value": sep.risk }),
              "gen_ai.evaluation.score.label": sep.decision ?? "none",
              "gen_ai.evaluation.explanation": sep.guarantee,
              "gen_ai.response.id": responseId,
            },
          });
        },
      };
    },
  };
}
