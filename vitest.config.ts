import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    globalSetup: ["test/own-temp-folder.ts", "test/build-package.ts"],
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["test/long/**"],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // browsers and child processes on a busy machine
    expect: { poll: { timeout: 20_000 } },
    pool: "forks",
    maxWorkers: 2,
  },
});

export default config;
