import { expect, it } from "vitest";
import { type ModelChoices, readModelChoices } from "./model-values.ts";
import { parseOptions } from "./options.ts";
import { MODEL_OPTIONS } from "./step-options.ts";

const read = (...args: string[]): ModelChoices =>
  readModelChoices(parseOptions("generate", MODEL_OPTIONS, args));

it("computes on the processor and leaves the bounds to the engine", () => {
  expect(read()).toEqual({ dtype: "float32", device: "cpu", threads: undefined, memoryBytes: undefined });
});

it("reads devices and bounds", () => {
  expect(read("--device", "cuda", "--threads", "3", "--memory", "1.5", "--dtype", "int8")).toEqual({
    dtype: "int8",
    device: "cuda",
    threads: 3,
    memoryBytes: 1.5 * 2 ** 30,
  });
  expect(read("--device", "auto").device).toBe("auto");
});

it.each([
  [["--device", "gpu"], /^Got --device gpu, expected cpu, cuda, webgpu, coreml, dml or auto\. `sep doctor`/],
  [["--memory", "0"], /^Got --memory 0, expected a number > 0/],
  [["--memory", "4GB"], /^Got --memory 4GB, expected a number/],
  [["--threads", "0"], /^Got --threads 0, expected an integer >= 1/],
])("refuses %j", (args, message) => {
  expect(() => read(...args)).toThrow(message);
});
