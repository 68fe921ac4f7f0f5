/** The pid files of a directory that have a control socket beside them. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import { whoListens } from "./whoListens.ts"

const suffix = ".pid.sock"

/** The names of applications that have run here, or do: `gateway` of `gateway.pid`. None where the directory cannot be read. */
export const names = (directory: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.sync(() => {
    try {
      return fs
        .readdirSync(directory)
        .filter((name) => name.endsWith(suffix))
        .map((name) => name.slice(0, -suffix.length))
        .sort()
    } catch {
      return []
    }
  })

/** The pid file of that name in that directory. */
export const pidFileOf = (directory: string, name: string): string =>
  path.join(path.resolve(directory), `${name}.pid`)

/** Removes a socket that one which was killed has left: nobody listens there. To be called by who has the pid file. */
export const removeDead = (socket: string): Effect.Effect<void> =>
  Effect.flatMap(whoListens(socket), (who) =>
    who === "Nobody" ? Effect.sync(() => fs.rmSync(socket, { force: true })) : Effect.void
  )
