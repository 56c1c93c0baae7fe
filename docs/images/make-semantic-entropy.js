/**
 * The drawing of docs/semantic-entropy.md: `npm run docs:drawing`. Two questions, ten samples each, their clusters, and
 * the entropy that the library computes of these. A page embeds it as a picture, which sees the reader's light or dark
 * setting but no style sheet of the page, so that the colors of both are in the file.
 */
import { writeFile } from "node:fs/promises";
import { discreteSemanticEntropy } from "semantic-entropy-probes";

const WIDTH = 860;
const ROW = 190;
const TOP = 46;
const COLUMNS = { question: 20, samples: 190, meanings: 480, entropy: 730 };

const EXAMPLES = [
  {
    question: ["What is the", "capital of France?"],
    samples: [
      ["Paris", 0],
      ["It is Paris.", 0],
      ["Paris", 0],
      ["Paris, France", 0],
      ["Lyon", 1],
      ["paris", 0],
      ["The city of Paris", 0],
      ["Paris", 0],
      ["Paris.", 0],
      ["It's Paris", 0],
    ],
    meanings: ["Paris", "Lyon"],
    verdict: "nearly sure",
  },
  {
    question: ["Who painted", "The Night Café?"],
    samples: [
      ["Van Gogh", 0],
      ["Edgar Degas", 1],
      ["Gauguin", 2],
      ["It was Van Gogh", 0],
      ["Degas", 1],
      ["Edward Hopper", 3],
      ["Vincent van Gogh", 0],
      ["Paul Gauguin", 2],
      ["by Degas", 1],
      ["van Gogh.", 0],
    ],
    meanings: ["Van Gogh", "Degas", "Gauguin", "Hopper"],
    verdict: "guessing",
  },
];

const text = (x, y, words, attributes = "") =>
  `<text x="${x}" y="${y}"${attributes && ` ${attributes}`}>${words}</text>`;

function drawExample({ question, samples, meanings, verdict }, top) {
  const entropy = discreteSemanticEntropy(samples.map(([, cluster]) => cluster));
  const counts = meanings.map((_, cluster) => samples.filter(([, own]) => own === cluster).length);
  const chips = samples.map(([answer, cluster], i) => {
    const x = COLUMNS.samples + (i % 2) * 136;
    const y = top + 8 + Math.floor(i / 2) * 32;
    return [
      `<rect class="c${cluster}" x="${x}" y="${y}" width="128" height="26" rx="6"/>`,
      text(x + 64, y + 17.5, answer, 'class="chip"'),
    ].join("");
  });
  const bars = counts.map((count, cluster) => {
    const y = top + 8 + cluster * 32;
    return [
      text(COLUMNS.meanings, y + 17.5, meanings[cluster]),
      `<rect class="c${cluster}" x="${COLUMNS.meanings + 76}" y="${y}" width="${count * 12}" height="26" rx="4"/>`,
      text(COLUMNS.meanings + 84 + count * 12, y + 17.5, `${count} of ${samples.length}`, 'class="quiet"'),
    ].join("");
  });
  return [
    ...question.map((line, i) => text(COLUMNS.question, top + 78 + i * 22, line, 'class="strong"')),
    ...chips,
    ...bars,
    text(COLUMNS.entropy, top + 92, `${entropy.toFixed(2)} nats`, 'class="number"'),
    text(COLUMNS.entropy, top + 116, verdict, 'class="quiet"'),
  ].join("\n");
}

const heads = Object.entries({
  question: "Question",
  samples: "Ten samples",
  meanings: "Meanings",
  entropy: "Semantic entropy",
}).map(([column, words]) => text(COLUMNS[column], 30, words, 'class="quiet"'));

const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${TOP + 2 * ROW}" width="${WIDTH}" role="img" aria-labelledby="title">
<title id="title">Ten samples to each of two questions fall into meanings. Two meanings, nine samples to one: low entropy. Four meanings: high entropy.</title>
<style>
svg { font: 14px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
.back { fill: #ffffff; stroke: #d0d7de; }
.line { stroke: #d0d7de; }
text { fill: #1f2328; }
.quiet { fill: #57606a; font-size: 13px; }
.strong { font-weight: 600; font-size: 15px; }
.number { font-weight: 600; font-size: 20px; }
.chip { text-anchor: middle; font-size: 13px; }
.c0 { fill: #b6d7f5; } .c1 { fill: #f8cf9b; } .c2 { fill: #bfe3b8; } .c3 { fill: #e3c4ea; }
@media (prefers-color-scheme: dark) {
.back { fill: #161b22; stroke: #3d444d; }
.line { stroke: #3d444d; }
text { fill: #f0f6fc; }
.quiet { fill: #9da7b3; }
.c0 { fill: #1f4f80; } .c1 { fill: #7a4a0d; } .c2 { fill: #2b5d2b; } .c3 { fill: #64386e; }
}
</style>
<rect class="back" x="0.5" y="0.5" width="${WIDTH - 1}" height="${TOP + 2 * ROW - 1}" rx="8"/>
${heads.join("\n")}
${EXAMPLES.map((example, i) => drawExample(example, TOP + i * ROW)).join("\n")}
<line class="line" x1="20" x2="${WIDTH - 20}" y1="${TOP + ROW - 8}" y2="${TOP + ROW - 8}"/>
</svg>
`;
await writeFile(new URL("semantic-entropy.svg", import.meta.url), svg);
