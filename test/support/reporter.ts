/**
 * The last lines of a test run: what was skipped and why, what passed at a second try only (`TEST_RETRIES`), what failed, and
 * `N passed, N failed` alone on a line. A file that does not load or clean up after itself, and an error outside of any
 * test, count as failed.
 */
import type { Reporter, TestCase, TestModule } from "vitest/node"

const print = (line: string): void => void process.stdout.write(`${line}\n`)

const nameOf = (test: TestCase): string => `${test.module.relativeModuleId} ${test.fullName}`

export class SummaryReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<unknown>): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const inState = (state: string) => tests.filter((test) => test.result().state === state)
    const broken = modules.reduce((sum, module) => sum + module.errors().length, 0) + unhandledErrors.length
    const skipped = inState("skipped")
    for (const test of skipped) {
      const result = test.result()
      const note = result.state === "skipped" && result.note !== undefined ? ` (${result.note})` : ""
      print(`skipped: ${nameOf(test)}${note}`)
    }
    if (skipped.length > 0) print(`${skipped.length} skipped`)
    for (const test of tests) {
      if (test.diagnostic()?.flaky === true) print(`passed at a second try: ${nameOf(test)}`)
    }
    for (const test of inState("failed")) print(`failed: ${nameOf(test)}`)
    for (const module of modules) {
      if (module.errors().length > 0) print(`failed outside of tests: ${module.relativeModuleId}`)
    }
    print(`${inState("passed").length} passed, ${inState("failed").length + broken} failed`)
  }
}
