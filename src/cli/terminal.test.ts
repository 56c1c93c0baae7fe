import { expect, it } from "vitest";
import { formatBytes } from "./terminal.ts";

it.each([
  [0, undefined, "0 B"],
  [999, undefined, "999 B"],
  [12_345, undefined, "12 kB"],
  [3_440_000, undefined, "3.4 MB"],
  [1_234_567_890, undefined, "1.2 GB"],
  [6.5e14, undefined, "650.0 TB"],
  [300_000_000, 1.2e9, "0.3 GB"],
  [0, 5e6, "0.0 MB"],
])("%d on the scale of %s is %s", (sizeBytes, scaleBytes, text) => {
  expect(formatBytes(sizeBytes, scaleBytes)).toBe(text);
});
