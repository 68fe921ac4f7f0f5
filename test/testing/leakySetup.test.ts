/** `spindle/testing/setup`, seen from outside: a Vitest of its own runs tests that leave each another thing, and is read. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "../support/child.ts"
import { writeProject } from "../support/documents.ts"

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-leaky-"))
const fixture = fs.readFileSync(path.join(import.meta.dirname, "leaky.fixture.ts"), "utf8")
afterAll(() => fs.rmSync(folder, { recursive: true }))

interface Test {
  readonly fullName: string
  readonly status: string
  readonly failureMessages: ReadonlyArray<string>
}

const tests = new Map<string, Test>()

beforeAll(
  () =>
    Effect.gen(function* () {
      writeProject(folder, [])
      fs.writeFileSync(path.join(folder, "leaky.test.ts"), fixture)
      fs.writeFileSync(
        path.join(folder, "vitest.config.mjs"),
        `export default { test: { setupFiles: ["spindle/testing/setup"], pool: "forks" } }`
      )
      const vitest = path.join(folder, "node_modules/vitest/vitest.mjs")
      const report = path.join(folder, "report.json")
      const { stderr, stdout } = yield* Child.run(
        process.execPath,
        [vitest, "run", "--reporter=json", `--outputFile=${report}`],
        { cwd: folder, env: { NO_COLOR: "1" }, timeout: 110_000 }
      )
      assert.isTrue(fs.existsSync(report), `${stdout}\n${stderr}`)
      const { testResults } = JSON.parse(fs.readFileSync(report, "utf8")) as {
        readonly testResults: ReadonlyArray<{ readonly assertionResults: ReadonlyArray<Test> }>
      }
      for (const test of testResults.flatMap(({ assertionResults }) => assertionResults)) {
        tests.set(test.fullName, test)
      }
    }).pipe(Effect.runPromise),
  120_000
)

/** The line of the fixture that says it is this place. */
const lineOf = (place: string): number =>
  fixture.split("\n").findIndex((line) => line.endsWith(`// place: ${place}`)) + 1

const find = (name: string): Test => {
  const test = tests.get(name)
  assert.isDefined(test, name)
  return test!
}

describe("a test that leaves nothing", () => {
  const tidy = [...fixture.matchAll(/it(?:\.\w+)?\("([^"]+)"/g)].map((match) => match[1]!).slice(0, 6)
  for (const name of tidy) {
    it(`passes: ${name}`, () => {
      const { failureMessages, status } = find(`tidy ${name}`)
      assert.deepStrictEqual([status, ...failureMessages], ["passed"])
    })
  }

  for (const name of ["one waits", "and one waits, too"]) {
    it(`passes beside one that leaves something: ${name}`, () => {
      assert.strictEqual(find(`at the same time ${name}`).status, "passed")
    })
  }
})

describe("a test that leaves something fails, and names the line", () => {
  const cases: ReadonlyArray<readonly [test: string, says: RegExp, place: string]> = [
    ["leaves a fiber", /a fiber \(#\d+\), made/, "fiber"],
    ["leaves a fiber that waits", /a fiber \(#\d+\), made/, "waiting"],
    ["leaves a fiber that waits", /and waiting/, "waits"],
    ["leaves a fiber of its own", /a fiber \(#\d+\), made/, "runFork"],
    ["leaves a scope", /a scope with finalizers, made/, "scope"],
    ["leaves a timer", /a timer \(of 60000 ms\), made/, "timer"],
    ["leaves an interval", /a timer \(every 60000 ms\), made/, "interval"],
    ["leaves a server", /a TCP server \(127\.0\.0\.1:\d+\), made/, "server"],
    ["leaves a connection", /a TCP socket \(.* to .*\), made/, "socket"],
    ["leaves a connection", /a TCP socket \(.* to .*\), made/, "accepted"],
    [
      "leaves a socket that would not keep a process alive",
      /a UDP socket \(127\.0\.0\.1:\d+\), made/,
      "unref"
    ],
    ["leaves a server of the library's", /a TCP server \(127\.0\.0\.1:\d+\), made/, "listener"],
    ["leaves a child process", /a child process \(pid \d+\), made/, "child"],
    ["leaves a worker", /a worker thread, made/, "worker"],
    ["leaves a file, opened at once", /an open file \(.*a file\), made/, "openSync"],
    ["leaves a file, opened by callback", /an open file \(.*a file\), made/, "open"],
    ["leaves a file, opened by promise", /an open file \(.*a file\), made/, "openPromise"],
    ["leaves a watched file", /a watched file, made/, "watch"],
    ["at the same time another leaves a timer", /a timer \(every 60000 ms\), made/, "concurrent"]
  ]
  for (const [name, says, place] of cases) {
    it(`${name}: ${place}`, () => {
      const { failureMessages, status } = find(name)
      const message = failureMessages.join("\n")
      assert.strictEqual(status, "failed")
      assert.include(message, "left behind:")
      assert.match(message, says)
      assert.isAbove(lineOf(place), 0)
      assert.include(message, `leaky.test.ts:${lineOf(place)}:`)
    })
  }
})

describe("a failure that nobody claims fails the test", () => {
  it("logged", () => {
    const { failureMessages, status } = find("leaves a logged failure")
    assert.strictEqual(status, "failed")
    assert.include(failureMessages.join("\n"), "A logged failure was not flushed:\n\nnobody meant this")
  })
  it("in the background", () => {
    const { failureMessages, status } = find("leaves a failure in the background")
    assert.strictEqual(status, "failed")
    assert.include(failureMessages.join("\n"), "in the background")
  })
})
