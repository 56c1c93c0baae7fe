import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { LiveModel } from "../backends/live-model.ts";
import { createMeaningModels } from "../study/meaning/meaning-models.ts";
import type { MeaningChoice } from "../study/meaning/open-equivalence.ts";
import { createAdmission, SERVER_LIMITS, type ServerLimits } from "./admission.ts";
import { ABSTAIN_TEXT, type AnswerMaker, type Policy, RESAMPLES } from "./answer-request.ts";
import { addAnswerRoutes, type RouteParts } from "./answer-routes.ts";
import { ApiError, asApiError, describeFailure } from "./api-error.ts";
import { addChatPage } from "./chat-page.ts";
import { createScoreDrift } from "./drift.ts";
import { createEntropyMeter } from "./entropy-meter.ts";
import { addGuardrailRoute } from "./guardrail-route.ts";
import { createMetrics } from "./metrics.ts";
import type { AssessmentChoice } from "./monitor.ts";
import type { GenerationChoice } from "./resolve-generation.ts";
import { addRiskRoutes } from "./risk-routes.ts";
import { type NamedProbe, serveProbes } from "./served-probe.ts";

export interface CreateServerOptions extends AssessmentChoice, Omit<GenerationChoice, "sampling"> {
  /** Answers; whoever opened it disposes of it after the server. */
  readonly live: LiveModel;
  /** The first is that of requests that name none. */
  readonly probes: readonly NamedProbe[];
  /** What happens to an answer that the probe says not to give; by default it is given, and its risk said. */
  readonly policy?: Partial<Policy> | undefined;
  /** Which answers mean the same, for semantic entropy. */
  readonly meaning?: MeaningChoice | undefined;
  /** What the model is called in answers; its own name by default. */
  readonly modelName?: string | undefined;
  readonly limits?: Partial<ServerLimits> | undefined;
  /** Takes failures that are not a client's; by default their kind and place are written to stderr, nothing of the request. */
  report?(error: unknown): void;
}

/** A server of answers with their risk. */
export interface RiskServer extends AsyncDisposable {
  /** Answers on its own or mounted in another app, under `listenBehindGate` or any server that hono knows. */
  readonly app: Hono;
  /** Takes no more requests, and resolves when those that run have been answered. */
  drain(): Promise<void>;
}

/**
 * An OpenAI-compatible server whose answers say how likely they are to be wrong; docs/serve-api.md lists its routes.
 * @throws SepError `probe-mismatch` if a probe was not fitted on this model's states, and `bad-option`, as `createMonitor` and
 *   `resolveGeneration`
 */
export function createServer(options: CreateServerOptions): RiskServer {
  const {
    live,
    probes: named,
    decide,
    unfamiliar,
    meaning = {},
    policy,
    promptFormat,
    systemPrompt,
  } = options;
  const limits = { ...SERVER_LIMITS, ...options.limits };
  const probes = serveProbes(live, named, {
    decide,
    unfamiliar,
    promptFormat,
    systemPrompt,
    enableThinking: options.enableThinking,
  });
  const admission = createAdmission(limits);
  const drifts = new Map(named.map(({ name, probe }) => [name, createScoreDrift(probe)]));
  const entropy = createEntropyMeter(meaning, createMeaningModels());
  const maker: AnswerMaker = {
    live,
    entropy,
    maxTokens: limits.tokens,
    policy: {
      name: "flag",
      abstainText: ABSTAIN_TEXT,
      samples: RESAMPLES,
      onError: "refuse",
      escalate: null,
      ...policy,
    },
  };
  const metrics = createMetrics(admission, drifts);
  const report = options.report ?? ((error: unknown) => console.error(describeFailure(error)));
  const modelName = options.modelName ?? live.model.provenance.id;
  const parts: RouteParts = {
    maker,
    probes,
    modelName,
    admission,
    metrics,
    timeLimitMs: limits.timeMs,
    report,
  };

  const app = new Hono();
  app.use(async (c, next) => {
    const begun = performance.now();
    await next();
    const route = c.req.routePath.startsWith("/") ? c.req.routePath : "other";
    metrics.countRequest(route === "/*" ? "other" : route, c.res.status, (performance.now() - begun) / 1000);
  });
  app.use(bodyLimit({ maxSize: limits.bodyBytes, onError: () => refuseBody(limits.bodyBytes) }));
  app.notFound(() => {
    throw new ApiError(404, "There is no such route; docs/serve-api.md lists them.", {
      code: "unknown_route",
    });
  });
  app.onError((error, c) => {
    if (c.req.raw.signal.aborted) return new Response(null, { status: CLIENT_GONE });
    const failure = asApiError(error);
    if (failure.status >= 500 && !(error instanceof ApiError)) report(error);
    const headers = failure.retryAfter === null ? {} : { "retry-after": String(failure.retryAfter) };
    return Response.json(failure.body, { status: failure.status, headers });
  });
  app.get("/health", (c) =>
    admission.isDraining ? c.json({ status: "shutting down" }, 503) : c.json({ status: "ok" }),
  );
  app.get(
    "/metrics",
    async () => new Response(await metrics.text(), { headers: { "content-type": metrics.contentType } }),
  );
  const created = Math.floor(Date.now() / 1000);
  const model = { id: modelName, object: "model", created, owned_by: "semantic-entropy-probes" };
  app.get("/v1/models", (c) => c.json({ object: "list", data: [model] }));
  app.get("/v1/models/:id{.+}", (c) => {
    if (c.req.param("id") === modelName) return c.json(model);
    throw new ApiError(404, `There is no model ${JSON.stringify(c.req.param("id"))}, only ${modelName}.`, {
      code: "model_not_found",
    });
  });
  addChatPage(app);
  addAnswerRoutes(app, parts);
  addRiskRoutes(app, parts);
  addGuardrailRoute(app, parts);
  return {
    app,
    drain: () => admission.drain(),
    async [Symbol.asyncDispose]() {
      await admission.drain();
      await entropy[Symbol.asyncDispose]();
    },
  };
}

/** What a proxy's log shows for a client that went away; nobody is left to read it. */
const CLIENT_GONE = 499;

function refuseBody(bytes: number): never {
  throw new ApiError(413, `The body is larger than ${bytes} bytes.`, { code: "body_too_large" });
}
