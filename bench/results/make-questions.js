// Turns the trivia lists of Red-Trivia, a package on PyPI, into the question sets of docs/results.md: 2,000 of general
// knowledge, 1,000 about films, books and games, five examples for the prompt, and more for p(True); no question is in two of
// them. The package is under the GPL, so neither it nor the sets are part of this repository.
//
//   pip download --no-deps --no-binary :all: Red-Trivia==1.1.1 && tar xzf Red-Trivia-1.1.1.tar.gz
//   npm run build && node bench/results/make-questions.js Red-Trivia-1.1.1 --out FOLDER [--seed 42]
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parse } from "yaml";
import { createRng, shuffle } from "../../dist/math/rng.js";
import { groupQuestions } from "../../dist/samples/near-duplicates.js";
import { normalizeAnswer } from "../../dist/text/open-answer.js";

const GENERAL =
  "general entertainment artandliterature computers greekmyth sports worldcapitals uscapitals 2015 2016".split(
    " ",
  );
const OTHER = "disney harrypotter starwars games elements".split(" ");
const [GENERAL_COUNT, OTHER_COUNT, SHOT_COUNT, P_TRUE_COUNT] = [2000, 1000, 5, 60];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { out: { type: "string", default: "." }, seed: { type: "string", default: "42" } },
});
const [folder] = positionals;
if (folder === undefined)
  throw new Error("Give the folder of the unpacked package, such as Red-Trivia-1.1.1.");

const usable = [...GENERAL, ...OTHER].flatMap(readList);
const { firstOf } = groupQuestions(usable.map(({ question }) => question));
const distinct = usable.filter((_, place) => firstOf[place] === place);
const drawn = (lists, stream) =>
  shuffle(
    distinct.filter(({ list }) => lists.includes(list)),
    createRng(Number(values.seed), stream),
  );
const general = drawn(GENERAL, "general");
const shots = general.filter(isPlain).slice(0, SHOT_COUNT);
const asked = general.filter((question) => !shots.includes(question));
const sets = {
  shots,
  general: asked.slice(0, GENERAL_COUNT),
  "p-true": asked.slice(GENERAL_COUNT, GENERAL_COUNT + P_TRUE_COUNT),
  other: drawn(OTHER, "other").slice(0, OTHER_COUNT),
};
mkdirSync(values.out, { recursive: true });
for (const [name, questions] of Object.entries(sets)) {
  const path = join(values.out, `${name}.jsonl`);
  const lines = questions.map(({ list: _, ...question }) => `${JSON.stringify(question)}\n`);
  writeFileSync(path, lines.join(""));
  const counts = [...GENERAL, ...OTHER]
    .map((list) => [list, questions.filter((question) => question.list === list).length])
    .filter(([, count]) => count > 0);
  console.log(`${path}: ${questions.length} questions (${counts.map((pair) => pair.join(" ")).join(", ")})`);
}

/** The questions of one list that can be read without a picture and are questions. */
function readList(list) {
  const text = readFileSync(join(folder, "redbot/ext/trivia/lists", `${list}.yaml`), "utf8");
  // of the failsafe schema everything is text: "No" and 1999 are answers
  const entries = Object.entries(parse(text, { schema: "failsafe", uniqueKeys: false }));
  return entries.flatMap(([asked, answers], place) => {
    if (!Array.isArray(answers)) return []; // the author
    const question = asked
      .replace(/^\[[^\]]*\]\s*/, "") // a heading, such as [Acronyms]
      .replace(/\s+/g, " ")
      .replace(/\s+\?$/, "?")
      .trim();
    const [answer, ...others] = dropRepeats(answers.map((spelling) => spelling.trim()).filter(isShort));
    if (answer === undefined || !isQuestion(question)) return [];
    const id = `${list}-${String(place).padStart(4, "0")}`;
    return [{ id, question, answer, ...(others.length === 0 ? {} : { aliases: others }), list }];
  });
}

function isQuestion(text) {
  const words = text.split(" ").length;
  return /\?$/.test(text) && words >= 4 && words <= 50 && !/https?:|_{2}|fill in|finish/i.test(text);
}

function isShort(answer) {
  return /[\p{L}\d]/u.test(answer) && answer.split(/\s+/).length <= 8;
}

/** Whether an answer has one spelling of a few words, and so makes a clear example. */
function isPlain({ list, question, answer, aliases = [] }) {
  const asks = /^(?:who|what|which|where|in which|how many)\b/i.test(question);
  return list === "general" && asks && aliases.length === 0 && answer.split(" ").length <= 3;
}

function dropRepeats(spellings) {
  const seen = new Set();
  return spellings.filter((spelling) => {
    const words = normalizeAnswer(spelling);
    return !seen.has(words) && seen.add(words);
  });
}
