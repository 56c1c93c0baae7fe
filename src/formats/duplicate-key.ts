/**
 * The first object key that stands twice in one object of a valid JSON text; `JSON.parse` would silently keep
 * the last. One pass over the text.
 * @returns null if every key is there once
 */
export function findDuplicateKey(json: string): string | null {
  const open: (Set<string> | null)[] = []; // keys so far of each open object, null for an array
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (char === "{") open.push(new Set());
    else if (char === "[") open.push(null);
    else if (char === "}" || char === "]") open.pop();
    else if (char === '"') {
      const end = endOfString(json, i);
      const keys = open.at(-1);
      if (keys && isKey(json, end)) {
        const key = JSON.parse(json.slice(i, end)) as string;
        if (keys.has(key)) return key;
        keys.add(key);
      }
      i = end - 1;
    }
  }
  return null;
}

/** @returns the index after the closing quote of the string that opens at `start` */
function endOfString(json: string, start: number): number {
  let i = start + 1;
  while (json[i] !== '"') i += json[i] === "\\" ? 2 : 1;
  return i + 1;
}

function isKey(json: string, afterString: number): boolean {
  let i = afterString;
  while (json[i] === " " || json[i] === "\n" || json[i] === "\t" || json[i] === "\r") i++;
  return json[i] === ":";
}
