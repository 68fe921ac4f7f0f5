/** What the tests of processes share: shell scripts as programs, and what `/proc` knows of their children. */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as NodeProcesses from "../../src/node/NodeProcesses.ts"
import type { Processes, ReadPipe } from "../../src/reactor/Processes.ts"

/** A script; its arguments are `$1` and so on. */
export const sh = (script: string, ...args: ReadonlyArray<string>) => ({
  program: "sh",
  args: ["-c", script, "sh", ...args]
})

export const onNode = <A, E>(effect: Effect.Effect<A, E, Processes | Scope.Scope>): Effect.Effect<A, E> =>
  Effect.scoped(effect).pipe(Effect.provide(NodeProcesses.layer))

/** The next lines that come out of a pipe, as many as `count`; what comes with the last of them is lost. */
export const lines = Effect.fnUntraced(function* (pipe: ReadPipe, count = 1) {
  let text = ""
  while (text.split("\n").length <= count) text += Buffer.from(yield* pipe.receive).toString()
  return text.split("\n").slice(0, count)
})

/** All that comes out of a pipe. */
export const all = Effect.fnUntraced(function* (pipe: ReadPipe) {
  const pieces: Array<Uint8Array> = []
  yield* pipe.receiveEach((bytes) => Effect.sync(() => void pieces.push(bytes)))
  return Buffer.concat(pieces).toString()
})

export interface Entry {
  readonly pid: number
  readonly state: string
  readonly parent: number
  readonly group: number
}

/** All processes that there are. */
export const table = (): ReadonlyArray<Entry> =>
  fs.readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const text = fs.readFileSync(`/proc/${name}/stat`, "latin1")
      const [state = "", parent, group] = text.slice(text.lastIndexOf(")") + 2).split(" ")
      return [{ pid: Number(name), state, parent: Number(parent), group: Number(group) }]
    } catch {
      return []
    }
  })

/** Whether it runs: it is there, and no zombie. */
export const isRunning = (pid: number): boolean =>
  table().some((entry) => entry.pid === pid && !"ZX".includes(entry.state))

/** Children of this process, zombies or not. */
export const children = (): ReadonlyArray<number> =>
  table().flatMap(({ parent, pid }) => (parent === process.pid ? [pid] : []))

/** Looks again and again until it is so; the test's own timeout ends that otherwise. */
export const eventually = (condition: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() =>
    condition() ? Effect.void : Effect.andThen(Effect.sleep("10 millis"), eventually(condition))
  )

export const descriptors = (): ReadonlyArray<string> =>
  fs.readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [`${fd} ${fs.readlinkSync(`/proc/self/fd/${fd}`)}`]
    } catch {
      return []
    }
  })
