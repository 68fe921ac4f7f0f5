/** Becomes somebody (`JSON of what was asked and options`), and tells what it is then, or why not. */
import * as fs from "node:fs"
import { isMainThread, Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as NodePrivileges from "../../src/node/NodePrivileges.ts"

const { asked, file, ...options } = JSON.parse(process.argv[2] ?? "{}") as NodePrivileges.Asked & {
  readonly asked: NodePrivileges.Asked
  readonly effectiveOnly?: boolean
  readonly file?: string
}

const canBeRoot = (): boolean => {
  try {
    process.setuid!(0)
    return true
  } catch {
    return false
  }
}

/** Real, effective, saved, and that of the file system: of each thread. */
const idsOf = (name: "Uid" | "Gid" | "Groups") =>
  [
    ...new Set(
      fs
        .readdirSync("/proc/self/task")
        .map((thread) => fs.readFileSync(`/proc/self/task/${thread}/status`, "latin1"))
        .map((status) =>
          new RegExp(`^${name}:[\\t ]*(.*?)[\\t ]*$`, "m").exec(status)![1]!.replaceAll("\t", " ")
        )
    )
  ].join("; ")

const program = Effect.gen(function* () {
  const identity = yield* NodePrivileges.resolve(asked)
  if (identity !== undefined) yield* NodePrivileges.drop(identity, options)
  let mayRead: boolean | undefined
  if (file !== undefined) {
    try {
      fs.readFileSync(file)
      mayRead = true
    } catch {
      mayRead = false
    }
  }
  const [uid, gid, groups] = [idsOf("Uid"), idsOf("Gid"), idsOf("Groups")]
  return { uid, gid, groups, mayRead, canBeRoot: canBeRoot() }
}).pipe(Effect.catch(({ message, reason }) => Effect.succeed({ failed: reason._tag, message })))

if (isMainThread && process.argv[3] === "thread")
  new Worker(import.meta.filename, { argv: process.argv.slice(2) })
else process.stdout.write(JSON.stringify(await Effect.runPromise(program)))
