/**
 * `spindle/testing/setup`, a setup file for Vitest: a test fails that leaves something behind, and is told where it was made
 * (`LeakCheck`), or that logs a failure it does not claim (`LoggedFailures`). Put it into `setupFiles`.
 */
import * as Effect from "effect/Effect"
import { afterAll, aroundEach, beforeAll } from "vitest"
import * as NodeLeaks from "./node/NodeLeaks.ts"
import * as LeakCheck from "./testing/LeakCheck.ts"
import * as LoggedFailures from "./testing/LoggedFailures.ts"

LeakCheck.start(NodeLeaks)
LoggedFailures.start()

/** The setup's own, which nobody asks for. */
const nobody = LeakCheck.makeOwner("the setup")
const asNobody = <A>(effect: Effect.Effect<A>): Promise<A> =>
  LeakCheck.runAs(nobody, () => Effect.runPromise(effect))

let file = nobody
let more: Effect.Effect<ReadonlyArray<string>> = Effect.succeed([])
/** Those that left nothing, so far: what they began may come to be when they are over. */
const passed: Array<LeakCheck.Owner> = []
let failed = false

// What importing the file made is there before, and may stay.
beforeAll(() => {
  // Where they are pipes, the first use of these would count as one.
  void [process.stdin, process.stdout, process.stderr]
  file = LeakCheck.makeOwner("The file")
  LeakCheck.setOutside(file)
  more = LeakCheck.count()
})

aroundEach(async (runTest, { task }) => {
  const test = LeakCheck.makeOwner(`"${task.name}"`)
  await LeakCheck.runAs(test, runTest)
  // One that failed may have had no chance to tidy up.
  failed ||= task.result?.state === "fail"
  if (task.result?.state === "fail") return
  const left = await asNobody(LeakCheck.verdict(test))
  const complaints = [LoggedFailures.unflushed(test), left].filter((complaint) => complaint !== undefined)
  if (complaints.length > 0) {
    failed = true
    throw new Error(complaints.map(({ message }) => message).join("\n\n"))
  }
  passed.push(test)
})

afterAll(async () => {
  const left = await asNobody(LeakCheck.verdict(file, ...passed))
  if (left !== undefined) throw new Error(left.message)
  const counted = failed ? [] : await asNobody(more)
  if (counted.length > 0) throw new Error(`${file.name} left behind: ${counted.join(", ")}`)
})
