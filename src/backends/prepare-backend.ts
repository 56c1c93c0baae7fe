import type { AnswerBackend } from "../samples/answer-backend.ts";
import type { StateBackend } from "../states/state-backend.ts";
import type { OpeningEvent } from "./opening-event.ts";

/** Gets a backend ready, and reports how that gets on as notes. */
export async function* prepareBackend({
  prepare,
}: Pick<AnswerBackend | StateBackend, "prepare">): AsyncGenerator<OpeningEvent, void> {
  if (prepare === undefined) return;
  for await (const message of prepare()) yield { kind: "note", step: "server", part: "", message };
}
