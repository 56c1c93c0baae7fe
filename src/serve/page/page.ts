import { createAnswerView, drawEntropy, MORE_SAMPLES, RISKS } from "./answer-view.ts";
import { type Asked, loadServer, type Message, measureEntropy, streamAnswer } from "./ask-server.ts";
import { element, find } from "./element.ts";
import { drawLegend } from "./risk-scale.ts";

const conversation = find("conversation", HTMLOListElement);
const empty = find("empty", HTMLParagraphElement);
const form = find("ask", HTMLFormElement);
const question = find("question", HTMLTextAreaElement);
const send = find("send", HTMLButtonElement);
const stop = find("stop", HTMLButtonElement);
const picker = find("probe", HTMLSelectElement);
const about = find("about", HTMLParagraphElement);
const status = find("status", HTMLParagraphElement);

let messages: Message[] = [];
/** What runs; the page asks one thing at a time. */
let running: AbortController | null = null;

drawLegend(find("legend", HTMLParagraphElement));
await showServer();

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = question.value.trim();
  if (text !== "" && running === null) void ask(text);
});
question.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") running?.abort();
});
stop.addEventListener("click", () => running?.abort());
find("restart", HTMLButtonElement).addEventListener("click", () => {
  running?.abort();
  messages = [];
  conversation.replaceChildren();
  empty.hidden = false;
  question.focus();
});

async function showServer(): Promise<void> {
  try {
    const { model, probes } = await loadServer();
    find("model", HTMLHeadingElement).textContent = model;
    document.title = `${model}: risk of answers`;
    picker.append(...probes.map(({ id }) => element("option", { value: id }, id)));
    const describe = (): void => {
      const probe = probes.find(({ id }) => id === picker.value);
      if (probe === undefined) return;
      const where =
        probe.place === null
          ? "reads the entropy of the reasoning"
          : `reads layer ${probe.layer} at ${probe.place}`;
      about.textContent = `This probe gives the probability ${RISKS[probe.risk_of]}. It ${where}.`;
    };
    picker.addEventListener("change", describe);
    describe();
  } catch (error) {
    about.textContent = describeFailure(error);
  }
}

/** Asks a question with all that was said before. */
async function ask(text: string): Promise<void> {
  const before = messages;
  const asked = [...before, { role: "user", content: text } as const];
  const probe = picker.value;
  const view = createAnswerView((show) => void measureMore({ messages: asked, probe }, show));
  conversation.append(
    element("li", { class: "asked" }, element("span", { class: "unseen" }, "You: "), text),
    element("li", {}, view.node),
  );
  empty.hidden = true;
  question.value = "";
  status.textContent = "The answer is being written.";
  view.node.scrollIntoView({ block: "nearest" });
  await run(async (signal) => {
    for await (const event of streamAnswer({ messages: asked, probe, signal })) {
      const wasAtEnd = isAtEnd();
      if (event.kind === "token") view.add(event.delta, event.risks);
      else {
        const said = view.end(event.delta, { ...event.risk, tokens: event.risks });
        status.textContent = `${view.text} ${said}`;
      }
      if (wasAtEnd) scrollTo({ top: document.documentElement.scrollHeight });
    }
    messages = [...asked, { role: "assistant", content: view.text }];
  }).catch((error: unknown) => {
    view.fail(describeFailure(error));
    status.textContent = describeFailure(error);
    // what was stopped is part of the conversation; what failed can be asked again
    if (isStopped(error) && view.text !== "")
      messages = [...asked, { role: "assistant", content: view.text }];
    else if (question.value === "") question.value = text;
  });
}

async function measureMore(asked: Omit<Asked, "signal">, show: (content: Node) => void): Promise<void> {
  if (running !== null) return;
  const waiting = `Drawing ${MORE_SAMPLES} answers…`;
  show(element("p", { class: "quiet" }, waiting));
  status.textContent = waiting;
  await run(async (signal) => {
    const measured = await measureEntropy({ ...asked, signal }, MORE_SAMPLES);
    const drawn = drawEntropy(measured);
    show(drawn);
    status.textContent = drawn.querySelector("p")?.textContent ?? "";
  }).catch((error: unknown) => {
    show(element("p", { class: "failure" }, describeFailure(error)));
    status.textContent = describeFailure(error);
  });
}

/** Runs one request, which the page's Stop ends. */
async function run(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const own = new AbortController();
  running = own;
  send.disabled = true;
  stop.hidden = false;
  try {
    await work(own.signal);
  } finally {
    running = null;
    send.disabled = false;
    stop.hidden = true;
    // the button that had the focus is gone
    if (document.activeElement === document.body) question.focus();
  }
}

/** Readers who have scrolled up stay where they are. */
const isAtEnd = (): boolean =>
  document.documentElement.scrollHeight - innerHeight - scrollY <
  parseFloat(getComputedStyle(document.body).fontSize) * 4;

const isStopped = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError";

function describeFailure(error: unknown): string {
  if (isStopped(error)) return "Stopped.";
  // what browsers say of a lost connection differs, and says nothing
  if (error instanceof TypeError) return "The server cannot be reached.";
  return error instanceof Error ? error.message : String(error);
}
