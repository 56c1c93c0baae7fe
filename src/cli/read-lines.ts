/**
 * The lines of a stream of bytes, as they come. Only the line feed ends one: other Unicode line ends may stand inside
 * JSON strings. What is not UTF-8 becomes U+FFFD.
 */
export async function* readLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let held = "";
  for await (const bytes of stream) {
    const lines = (held + decoder.decode(bytes, { stream: true })).split("\n");
    held = lines.pop() as string;
    yield* lines;
  }
  const last = held + decoder.decode();
  if (last !== "") yield last;
}
