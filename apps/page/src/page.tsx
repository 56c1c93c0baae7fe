import { render } from "preact";
import type { Reply, Request } from "./messages.ts";
import {
  type Action,
  type Acts,
  initialState,
  isRunning,
  readLink,
  reduce,
  type State,
  writeLink,
} from "./state.ts";
import { App } from "./views/app.tsx";

/** Joins the worker, the state and its view. */

const root = document.getElementById("page") as HTMLElement;
const address = trustedAddress("engine-worker.js");
let worker: Worker;
const send = (request: Request): void => worker.postMessage(request);

let state: State = initialState(readLink(location.hash));
let isDrawn = false;
let answers = 0;
let waiting: ReturnType<typeof setTimeout> | undefined;

const acts: Acts = {
  ask: (question) => ask(question, state.link.seed),
  again: () => ask(state.link.question, state.link.seed + 1),
  stop: () => send({ kind: "stop" }),
  select(at, layer) {
    act({ kind: "selected", at, layer });
    explore();
  },
  move(choose) {
    const { at, layer } = choose(state.link);
    acts.select(at, layer);
  },
  setThreshold: (threshold) => act({ kind: "threshold", threshold }),
  copyLink: () => void navigator.clipboard?.writeText(location.href),
  openModel(files) {
    act({ kind: "reopened", isOwn: files !== null });
    start(files);
  },
};

addEventListener("hashchange", () => {
  const link = readLink(location.hash);
  if (writeLink(link) === writeLink(state.link)) return;
  state = { ...state, link, answer: null, fork: null, look: null };
  if (link.question === "") draw();
  else ask(link.question, link.seed);
});
// first, since it has the most to do
start(null);
draw();

/** Starts a worker in place of the one before, whose memory is free then: WebAssembly's never shrinks. */
function start(files: readonly File[] | null): void {
  worker?.terminate();
  worker = new Worker(address, { type: "module" });
  worker.addEventListener("message", receive);
  worker.addEventListener("error", ({ message }) =>
    act({
      kind: "reply",
      reply: { kind: "failed", id: null, reason: message || "its worker did not start." },
    }),
  );
  send({ kind: "open", engine: state.link.engine, files });
}

function receive({ data: reply }: MessageEvent<Reply>): void {
  act({ kind: "reply", reply });
  if (reply.kind === "ready" && state.link.question !== "") ask(state.link.question, state.link.seed);
  if (reply.kind === "answered") {
    // what else would it have answered? unless the reader looks at something already
    if (state.link.at === null) acts.select(-1, null);
    else explore();
  }
}

function ask(question: string, seed: number): void {
  const id = ++answers;
  act({ kind: "asked", id, question, seed });
  send({ kind: "ask", id, question, seed });
}

/** Draws what follows the selected token, once the selection rests and the answer is complete. */
function explore(): void {
  const { answer, link } = state;
  if (answer === null || link.at === null || link.at > answer.readings.length - 2) return;
  const { at } = link;
  send({ kind: "look", id: answer.id, at });
  clearTimeout(waiting);
  if (isRunning(answer) || at >= answer.tokens.length - 1 || state.fork?.at === at) return;
  waiting = setTimeout(() => send({ kind: "fork", id: answer.id, at }), RESTING_MS);
}

/** Whoever walks along with the arrow keys has no use for what lies behind each token. */
const RESTING_MS = 120;

function act(action: Action): void {
  state = reduce(state, action);
  if (isDrawn) return;
  isDrawn = true;
  requestAnimationFrame(draw);
}

function draw(): void {
  isDrawn = false;
  render(<App state={state} acts={acts} />, root);
  const fragment = state.isOwn ? "" : writeLink(state.link);
  if (fragment !== location.hash.slice(1))
    history.replaceState(null, "", fragment === "" ? location.pathname : `#${fragment}`);
}

/** Pages that require trusted types take a script's address from a policy only. */
function trustedAddress(address: string): string {
  const { trustedTypes } = globalThis as unknown as {
    readonly trustedTypes?: {
      createPolicy(
        name: string,
        rules: { createScriptURL(address: string): string },
      ): {
        createScriptURL(address: string): string;
      };
    };
  };
  const policy = trustedTypes?.createPolicy("engine", { createScriptURL: (own) => own });
  return policy?.createScriptURL(address) ?? address;
}
