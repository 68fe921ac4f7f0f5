/** Captures its own standard output and error, says what it heard to the file that it is given, and goes on. */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import * as NodeStdioCapture from "../../src/node/NodeStdioCapture.ts"

const [, , file = ""] = process.argv
const told: Array<string> = []
let called = 0

const tell = (origin: string, text: string) =>
  Effect.sync(() => {
    told.push(`${origin}: ${text}`)
    // A log that shows its lines here must not hear itself.
    if (text === "echo") process.stdout.write("from within\n")
  })

const program = Effect.gen(function* () {
  yield* NodeStdioCapture.make(tell)
  process.stdout.write("a line, and ")
  process.stdout.write("its end\r\n\nanother\nbegun")
  process.stderr.write(Buffer.from([0xc3]))
  process.stderr.write(Buffer.from([0xbc, 0x0a]))
  process.stdout.write("c3bc0a", "hex")
  // oxlint-disable-next-line no-console
  console.error("to %s", "error")
  process.stdout.write("echo\n", () => void called++)
  yield* Effect.callback<void>(
    (resume) => void process.stdout.write(new Uint8Array(0), () => resume(Effect.void))
  )
  process.stdout.write("x".repeat(200_000))
  process.stderr.write("not ended")
})

await Effect.runPromise(Effect.scoped(program))
process.stdout.write("after\n")
process.stderr.write("after, too\n")
fs.writeFileSync(file, JSON.stringify({ told, called }))
