/** A program that logs to a file and ends in some way: `node logFileChild.ts PATH HOW`. */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import * as NodeLogFile from "../../src/node/NodeLogFile.ts"

const [, , path = "", how = ""] = process.argv

// Where they are pipes, Node makes them such that never wait: what does not fit is refused.
void [process.stdout, process.stderr]

const program = Effect.gen(function* () {
  const file = yield* NodeLogFile.make({ path, lossLine: (lost) => `lost ${lost}` })
  if (how === "many" || how === "many, exit") {
    for (let n = 0; n < 80_000; n++) file.write(`line ${n}`)
    if (how === "many, exit") process.exit(0)
    return
  }
  if (how === "again") {
    // Until nobody reads it, and a while longer.
    setInterval(() => {
      file.write("again")
      if (file.statistics.lost > 20) process.exit(7)
    }, 5)
    return yield* Effect.never
  }
  if (how === "fill") {
    for (const letter of "abcdef") file.write(letter.repeat(299))
    yield* file.flush
    fs.truncateSync(path, 1000)
    file.write("g")
    return
  }
  file.write("the last line")
  if (how === "exit") process.exit(3)
  if (how === "throw") {
    process.nextTick(() => {
      throw new Error("crash")
    })
    return yield* Effect.never
  }
})

void Effect.runPromise(Effect.scoped(program))
