import { defineConfig, type ViteUserConfig } from "vitest/config";

const shared: ViteUserConfig["test"] = {
  testTimeout: 120_000,
  hookTimeout: 60_000,
  // browsers and child processes on a busy machine
  expect: { poll: { timeout: 20_000 } },
  pool: "forks",
};

const config: ViteUserConfig = defineConfig({
  test: {
    globalSetup: ["test/own-temp-folder.ts", "test/build-package.ts"],
    maxWorkers: 2,
    tags: [{ name: "long", description: "takes longer than a change can wait for: npm run test:long" }],
    projects: [
      // no test of these changes what another sees, so that they share their processes
      { test: { ...shared, name: "units", include: ["src/**/*.test.ts"], isolate: false } },
      { test: { ...shared, name: "whole", include: ["test/**/*.test.ts"] } },
    ],
  },
});

export default config;
