/** A process that wants a pid file: `FILE drop|hold|mode|race|watch`. It says what it got, and goes on until its input ends. */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import * as NodePidFile from "../../src/node/NodePidFile.ts"

const [file = "", what] = process.argv.slice(2)

const inputEnd = Effect.callback<void>((resume) => {
  process.stdin.on("end", () => resume(Effect.void)).resume()
})
const inputLine = Effect.callback<string>((resume) => {
  process.stdin.once("data", (bytes: Buffer) => resume(Effect.succeed(bytes.toString())))
})
const say = (text: string) => Effect.sync(() => void process.stdout.write(`${text}\n`))

const taken = Effect.gen(function* () {
  yield* NodePidFile.acquire(file)
  if (what === "drop") {
    process.setgid!(54_321)
    return process.setuid!(54_321)
  }
  if (what === "mode") return yield* say((fs.statSync(file).mode & 0o777).toString(8))
  yield* say("taken")
  yield* inputEnd
}).pipe(
  Effect.scoped,
  Effect.andThen(what === "hold" ? say("left") : Effect.void),
  Effect.catch(({ reason }) => say(`${reason._tag} ${"pid" in reason ? reason.pid : reason.message}`))
)

/** Until this moment, as exactly as it can be. */
const at = (millis: number) =>
  Effect.andThen(
    Effect.sleep(Math.max(0, millis - Date.now() - 2)),
    Effect.sync(() => {
      while (Date.now() < millis);
    })
  )
const roundMillis = 10

/** For all files, what came of it. Each has its moment, counted from the one that the input names. */
const raced = Effect.gen(function* () {
  yield* say("up")
  const start = Number(yield* inputLine)
  const results = yield* Effect.forEach(file.split(","), (one, index) =>
    Effect.match(Effect.andThen(at(start + index * roundMillis), NodePidFile.acquire(one)), {
      onSuccess: () => "taken",
      onFailure: ({ reason }) => `${reason._tag} ${"pid" in reason ? reason.pid : reason.message}`
    })
  )
  yield* say(JSON.stringify(results))
  yield* inputEnd
}).pipe(Effect.scoped)

/** Whether the file is ever missing or half written. */
const watched = Effect.gen(function* () {
  let over = false
  process.stdin.on("end", () => (over = true)).resume()
  yield* say("watching")
  while (!over) {
    if (!/^\d+\n$/.test(fs.readFileSync(file, "utf8"))) return yield* say("not whole")
    yield* Effect.sleep(0)
  }
  yield* say("always")
})

const programs: Readonly<Record<string, Effect.Effect<void>>> = { watch: watched, race: raced }

await Effect.runPromise(programs[what ?? ""] ?? taken)
