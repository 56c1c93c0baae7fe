// A server that gives every request the same answer, in the form of vLLM's: 160 tokens with 20 log-probabilities each.
import { createServer } from "node:http";

const TOKENS = 160;
const tokens = Array.from({ length: TOKENS }, (_, i) => i + 1000);
const top = (id) =>
  Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`token_id:${id + i}`, -0.1 - i * 0.7310585975646973]),
  );
const answer = JSON.stringify({
  id: "cmpl-1",
  object: "text_completion",
  created: 0,
  model: "canned",
  choices: [
    {
      index: 0,
      text: "word ".repeat(TOKENS),
      logprobs: {
        text_offset: tokens.map((_, i) => 5 * i),
        token_logprobs: tokens.map(() => -0.1),
        tokens: tokens.map((id) => `token_id:${id}`),
        top_logprobs: tokens.map(top),
      },
      finish_reason: "length",
      stop_reason: null,
      token_ids: tokens,
    },
  ],
  usage: { prompt_tokens: 200, total_tokens: 360, completion_tokens: TOKENS },
});

const server = createServer((request, response) => {
  request.resume();
  request.on("end", () => {
    response.writeHead(200, { "content-type": "application/json", "content-length": answer.length });
    response.end(answer);
  });
});
server.listen(0, "127.0.0.1", () => process.send(`http://127.0.0.1:${server.address().port}/v1`));
