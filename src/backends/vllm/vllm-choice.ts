import type { AnswerApi } from "./answer-request.ts";
import type { ServeOptions } from "./serve-command.ts";

/** How states come out of a vLLM server: the residual stream of every layer, or the last layer after its norm. */
export const STATE_ROUTES = ["extract", "pooling"] as const;
export type StateRoute = (typeof STATE_ROUTES)[number];

/** Which vLLM servers, or how to start one. */
export interface VllmChoice {
  /** Addresses separated by commas; without any, a server is started here and ended afterwards. */
  readonly urls?: string | undefined;
  /** The same for hidden states, which take a server that was started for them; `urls` by default. */
  readonly statesUrls?: string | undefined;
  /** How the servers call the model, where that is not its own name. */
  readonly servedName?: string | undefined;
  readonly api?: AnswerApi | undefined;
  readonly stateRoute?: StateRoute | undefined;
  /** Questions under way at a time at each server. */
  readonly concurrency?: number | undefined;
  /** Bound on one request. */
  readonly limitMs?: number | undefined;
  /** Of a server that is started here. */
  readonly serve?:
    | Omit<ServeOptions, "model" | "revision" | "servedName" | "host" | "port" | "purpose">
    | undefined;
}
