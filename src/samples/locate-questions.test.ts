import { readFileSync } from "node:fs";
import { expect, it, test } from "vitest";
import { createFakeDataset } from "../../test/fakes/fake-model.ts";
import { createHubStage } from "../../test/fakes/hub-stage.ts";
import { drain } from "../net/map-concurrently.ts";
import { loadQuestions } from "./load-questions.ts";
import { HUB_QUESTIONS, locateQuestions } from "./locate-questions.ts";

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../test/fixtures/questions/${name}.parquet`, import.meta.url));

const nqOpen = createFakeDataset("google-research-datasets/nq_open", {
  "nq_open/train/0000.parquet": fixture("nq-open"),
  "nq_open/train/0001.parquet": fixture("nq-open"),
  "nq_open/validation/0000.parquet": fixture("nq-open"),
});

it("downloads a named data set, and numbers its rows over all files", async () => {
  await using stage = await createHubStage([nqOpen]);
  const hub = { env: stage.env };
  const source = await drain(locateQuestions("nq-open", { hub }));
  const commit = nqOpen.refs.get("refs/convert/parquet");
  expect(source).toEqual({
    name: "google-research-datasets/nq_open/nq_open/validation",
    paths: [expect.stringMatching(/nq_open\/validation\/0000\.parquet$/)],
    hub: { repo: "google-research-datasets/nq_open", config: "nq_open", split: "validation", commit },
  });
  const train = await drain(locateQuestions("nq-open:train", { hub }));
  const { questions, format } = await loadQuestions(train);
  expect(format).toBe("nq-open");
  expect(questions.map(({ id }) => id)).toEqual([1, 2, 3, 4].map((n) => `nq-open-000${n}`));
  stage.fake.clear();
  const pinned = `datasets/google-research-datasets/nq_open/nq_open/train@${commit}`;
  expect(await drain(locateQuestions(pinned, { hub }))).toEqual(train);
  expect(stage.fake.requests).toEqual([]);
});

test.each(HUB_QUESTIONS)("%s has a repository, a config and a split", async (name) => {
  await using stage = await createHubStage([]);
  const locating = drain(locateQuestions(name, { hub: { env: stage.env } }));
  await expect(locating).rejects.toMatchObject({ code: "model-not-found" });
  expect(stage.fake.requests[0]?.path).toMatch(
    /^\/api\/datasets\/[\w.-]+\/[\w.-]+\/revision\/refs\/convert\/parquet$/,
  );
});

it("takes other names for files, and says where BioASQ is to be had", async () => {
  expect(await drain(locateQuestions("data/trivia-qa.jsonl"))).toEqual({
    name: "trivia-qa.jsonl",
    paths: ["data/trivia-qa.jsonl"],
    hub: null,
  });
  await expect(drain(locateQuestions("bioasq"))).rejects.toMatchObject({
    code: "bad-option",
    message: /BioASQ is given to registered users only/,
  });
});
