/**
 * JSON as Python's `json` module writes it: NaN and infinities, which JSON has not, become null.
 * @throws SyntaxError as `JSON.parse`
 */
export function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!NOT_FINITE.test(text)) throw error;
    return JSON.parse(
      text.replace(STRING_OR_NOT_FINITE, (found) => (found.startsWith('"') ? found : "null")),
    );
  }
}

const NOT_FINITE = /NaN|Infinity/;
/** Strings are matched as wholes, so that what they contain is left alone. */
const STRING_OR_NOT_FINITE = /"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/gs;
