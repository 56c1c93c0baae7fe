// A server to escalate to, for soak.js: it answers every conversation with the words of its last message, after a moment.
//   node bench/serve/upstream.js PORT
import { createServer } from "node:http";

/** What an upstream answers to a question. */
export const upstreamAnswer = (question) => `The large model was asked: ${question}`;

const SLOWEST_MS = 30;

if (process.argv[2] !== undefined && process.argv[1].endsWith("upstream.js")) {
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const { messages } = JSON.parse(Buffer.concat(pieces).toString());
    const content = upstreamAnswer(messages.at(-1).content);
    await new Promise((resolve) => setTimeout(resolve, (content.length * 7) % SLOWEST_MS));
    response.writeHead(200, { "content-type": "application/json" });
    response.end(
      JSON.stringify({ model: "upstream", choices: [{ message: { role: "assistant", content } }] }),
    );
  });
  server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log(server.address().port));
}
