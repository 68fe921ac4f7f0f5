import { defineConfig } from "vitest/config"
import { SummaryReporter } from "./test/support/reporter.ts"

export default defineConfig({
  test: {
    pool: "forks",
    // Most of the time a test waits for the system, or for another process.
    maxWorkers: 2,
    passWithNoTests: false,
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/nodeVersion.ts", "test/support/compileCache.ts"],
    setupFiles: ["test/support/compileCache.ts", "src/testingSetup.ts"],
    testTimeout: 20_000,
    // Many tests ask the real system, in real time: where others use the machine too, a second try may be allowed. It is told.
    retry: Number(process.env.TEST_RETRIES ?? 0),
    reporters: ["default", new SummaryReporter()],
    typecheck: {
      enabled: true,
      include: ["test/**/*.test-d.ts"],
      tsconfig: "tsconfig.json",
      // `npm run check` looks at the sources.
      ignoreSourceErrors: true
    }
  }
})
