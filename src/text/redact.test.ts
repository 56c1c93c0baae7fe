import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectNoSecret } from "../../test/expect-no-secret.ts";
import { findSecrets } from "./find-secrets.ts";
import { createLineRedactor, createRedactor, redactError, redactStrings, redactUrl } from "./redact.ts";

const KEY = "sk-proj-Zq7_x9Lw2-Ab4Cd8Ef6Gh";
const { known, message } = createRedactor([KEY]);
const shapes = createRedactor([]).message;

/** Keys of the usual alphabets: random as keys are. */
const key = fc
  .tuple(
    fc.constantFrom("", "sk-", "hf_", "token-"),
    fc.string({
      unit: fc.constantFrom(
        ..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        ..."-_.~+/=&%!:",
      ),
      minLength: 16,
      maxLength: 48,
    }),
  )
  .map((parts) => parts.join(""))
  .filter((text) => new Set(text).size >= 8);

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const escapeJson = (text: string): string => JSON.stringify(text).slice(1, -1);
const everyByte = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
const ENCODINGS: readonly ((text: string) => string)[] = [
  (text) => text,
  encodeURIComponent,
  everyByte,
  escapeJson,
  (text) => escapeJson(escapeJson(`"${text}"`)),
  (text) => encodeURIComponent(encodeURIComponent(text)),
  (text) => text.replaceAll("/", "\\/"),
  (text) => text.replaceAll("&", "&amp;").replaceAll("+", "&#x2B;").replaceAll("/", "&#47;"),
  (text) => [...text].map((each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`).join(""),
  base64,
  (text) => base64(`user:${text}`),
  (text) => base64(`${text}:`),
  (text) => Buffer.from(`me:${text}`).toString("base64url"),
  (text) => encodeURIComponent(base64(`a:${text}`)),
  (text) => `${text}${text}`,
  (text) => text.slice(0, -3),
  (text) => text.slice(2),
];

describe("known secrets", () => {
  it.each([
    [`Incorrect API key provided: ${KEY}.`, "Incorrect API key provided: [redacted]."],
    [JSON.stringify({ error: { message: `got ${KEY}` } }), '{"error":{"message":"got [redacted]"}}'],
    [`cut ${KEY.slice(0, 20)}`, "cut [redacted]"],
    [`a ${KEY.slice(0, 14)} and ${KEY.slice(14)}`, "a [redacted] and [redacted]"],
    [`${KEY}${KEY}`, "[redacted]"],
    [`q=${everyByte(KEY)}&n=2`, "q=[redacted]&n=2"],
  ])("%s", (text, expected) => {
    expect(known(text)).toBe(expected);
    expect(message(text)).toBe(expected);
  });

  it("finds them in any encoding and context, whole, in pieces and doubled", () => {
    fc.assert(
      fc.property(
        key,
        fc.constantFrom(...ENCODINGS),
        fc.string({ maxLength: 30 }),
        fc.string({ maxLength: 30 }),
        (secret, encode, before, after) => {
          const redactor = createRedactor([secret]);
          for (const redact of [redactor.known, redactor.message]) {
            const text = redact(`${before} ${encode(secret)} ${after}`);
            expectNoSecret(text, secret);
            expect(text).toContain("[redacted]");
            expect(redact(text)).toBe(text);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("finds no way round in base64 either: what is left of it decides fewer than 12 characters", () => {
    fc.assert(
      fc.property(key, fc.string({ maxLength: 9 }), (secret, before) => {
        const left = createRedactor([secret]).known(base64(`${before}${secret}`));
        for (const run of left.split("[redacted]"))
          expectNoSecret(Buffer.from(run, "base64").toString("latin1"), secret);
      }),
    );
  });

  it("leaves short values, and those that are one character, to themselves", () => {
    const text = "1 of 10 questions, with ******** and true";
    expect(createRedactor(["1", "true", "", "********"]).message(text)).toBe(text);
  });

  it("keeps JSON whole", () => {
    fc.assert(
      fc.property(key, fc.json({ maxDepth: 2 }), (secret, json) => {
        const line = JSON.stringify({ kind: "error", message: `${json} ${secret}`, n: 12 });
        const read = JSON.parse(createRedactor([secret]).message(line));
        expect(read).toMatchObject({ kind: "error", n: 12 });
        expectNoSecret(read.message, secret);
      }),
    );
  });
});

describe("shapes", () => {
  it.each([
    ["https://user:pass@mirror.example/hf", "https://[redacted]@mirror.example/hf"],
    ["https://u:p@ss@host and http://t0ken@host", "https://[redacted]@host and http://[redacted]@host"],
    ["socks5://me:x@proxy:1080", "socks5://[redacted]@proxy:1080"],
    [String.raw`{"url":"https:\/\/a:b@c\/v1"}`, String.raw`{"url":"https:\/\/[redacted]@c\/v1"}`],
    ["http://h/v1?a=1&access_token=abc#x", "http://h/v1?a=1&access_token=[redacted]#x"],
    ["http://h/v1?key=abc&amp;token=d", "http://h/v1?key=[redacted]&amp;token=[redacted]"],
    ["Authorization: Bearer abcd", "Authorization: Bearer [redacted]"],
    [String.raw`{\"authorization\": \"Basic dTpw\"}`, String.raw`{\"authorization\": \"Basic [redacted]\"}`],
    ["authorization=a1b2c3d4e5", "authorization=[redacted]"],
    ["got Bearer a1b2c3d4.", "got Bearer [redacted]"],
    ["key: sk-abcdefghijklmnop", "key: [redacted]"],
    ["hf_abcdefghijklmnopqrst is not valid", "[redacted] is not valid"],
    ["args: {'api_key': 'x1y2z3', 'port': 1}", "args: {'api_key': '[redacted]', 'port': 1}"],
  ])("%s", (text, expected) => {
    expect(shapes(text)).toBe(expected);
    expect(shapes(expected)).toBe(expected);
  });

  it.each([
    "The token is the answer; a bearer token=word is not, and key=value is neither.",
    "A token is needed: open the address that `sep` printed, or send Authorization: Bearer.",
    "Invalid credentials in Authorization header",
    "api_key: required. Basic mathematics, bearer authentication and hf_transfer are words.",
    "risk-sk-learn-estimators-are-fine and hf_hub_download too",
    "ssh://git@github.com/org/name, me@example.org, tiny/qwen3@main and https://x.org/npm/a@1.2.3/b",
    "100 % of \\n and C:\\Users\\me &amp; &lt;b&gt;",
  ])("leaves alone: %s", (text) => {
    expect(shapes(text)).toBe(text);
    expect(message(text)).toBe(text);
  });

  it("leaves any words alone, and whatever escapes they have", () => {
    const word = fc.constantFrom(
      ..."token key secret bearer basic api sk hf password https Authorization".split(" "),
    );
    const other = fc.string({ unit: fc.constantFrom(..."abcdef 0123456789,.;!%&\\()ä語"), maxLength: 12 });
    fc.assert(
      fc.property(fc.array(fc.oneof(word, other)), (words) => {
        const text = words.join(" ").replace(/\b(bearer|basic|authorization|api)(\s+\S*\d\S*)+/gi, "$1");
        expect(createRedactor([KEY]).message(text)).toBe(text);
      }),
    );
  });

  it("takes no longer for a text made to be slow", () => {
    const startMs = performance.now();
    for (const part of ["a-", "https://", "Bearer ", "?key=", "%25", "\\\\", "&amp;"])
      message(part.repeat(20_000));
    expect(performance.now() - startMs).toBeLessThan(5_000); // some 100 ms; minutes if it were quadratic
  });
});

describe("findSecrets", () => {
  it("knows names, logins, tokens of addresses, and options", () => {
    const env = {
      HF_TOKEN: "hf_one\n",
      VLLM_API_KEY: "two",
      AWS_SECRET_ACCESS_KEY: "three",
      DB_PASSWORD_OLD: "four",
      npm_config__authToken: "five",
      HTTPS_PROXY: "http://me:six%2F6@proxy:3128",
      HF_ENDPOINT: "https://seven@mirror",
      TOKENIZERS_PARALLELISM: "no",
      PASSWORD_STORE_DIR: "/home/me",
      HF_TOKEN_PATH: "/tmp/token",
      AWS_ACCESS_KEY_ID: "id",
      EMPTY: undefined,
    };
    const args = [
      "run",
      "--vllm-url",
      "http://a:eight@h,http://h/?token=nine",
      "--api-key",
      "ten",
      "--no-token",
      "x",
    ];
    expect(findSecrets(env, args)).toEqual(
      expect.arrayContaining(
        "hf_one two three four five six/6 six%2F6 me:six%2F6 seven eight nine ten".split(" "),
      ),
    );
    for (const plain of ["no", "/home/me", "/tmp/token", "id", "x", "run"])
      expect(findSecrets(env, args)).not.toContain(plain);
  });
});

it("redacts errors with their stacks and causes, and keeps those without a secret", () => {
  const clean = new TypeError("no", { cause: new Error("secret-free") });
  expect(redactError(clean, message)).toBe(clean);
  const bad = new TypeError("outer", { cause: Object.assign(new Error(`Bearer ${KEY}`), { code: "EBAD" }) });
  const redacted = redactError(bad, message) as Error & { cause: Error };
  expect(redacted.name).toBe("TypeError");
  expect(redacted.cause).toMatchObject({ message: "Bearer [redacted]", code: "EBAD" });
  expect(redacted.cause.stack).not.toContain(KEY);
});

it("redacts the strings of a value, and nothing else of it", () => {
  const date = new Date(0);
  const value = { a: [KEY, 1, null], b: { c: `x ${KEY}`, d: date }, [KEY]: true };
  expect(redactStrings(value, known)).toEqual({
    a: ["[redacted]", 1, null],
    b: { c: "x [redacted]", d: date },
    [KEY]: true,
  });
});

it("redacts text that comes in pieces", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40)), (cuts) => {
      let written = "";
      const lines = createLineRedactor(message, (text) => {
        written += text;
      });
      let rest = `first\nkey ${KEY}\rsecond ${KEY} and no end`;
      for (const cut of cuts) {
        lines.push(rest.slice(0, cut));
        rest = rest.slice(cut);
      }
      lines.push(rest);
      lines.end();
      expect(written).toBe("first\nkey [redacted]\rsecond [redacted] and no end");
    }),
  );
});

it.each([
  ["hub:s3cret@mirror.local/x", "[redacted]@mirror.local/x"],
  ["ftp://me:pa/ss@host", "ftp://[redacted]@host"],
  ["localhost:8000/v1?token=abc", "localhost:8000/v1?token=[redacted]"],
  ["not an address", "not an address"],
])("redactUrl(%s)", (url, expected) => expect(redactUrl(url)).toBe(expected));
