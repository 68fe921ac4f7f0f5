/** A file system for the tests of `FileWatchEngine`: names and entries, hints by hand, and a system that says no. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { FileEntry } from "../../src/reactor/FileWatchEntry.ts"
import {
  type FileWatchHint,
  type FileWatchPlatform,
  SystemError
} from "../../src/reactor/FileWatchPlatform.ts"

const systemError = (code: string) => new SystemError({ code, cause: new Error(code) })

export const fakeFileSystem = (isRecursive = false) => {
  const entries = new Map<string, FileEntry>()
  const watches = new Map<string, Set<(hint: FileWatchHint) => void>>()
  const parentOf = (path: string) => path.slice(0, Math.max(path.lastIndexOf("/"), 0)) || "/"
  const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1)
  const state = {
    /** What the system says to those who open a watch, or read a directory. */
    refusing: new Map<string, string>(),
    /** Looks wait for it. */
    slow: undefined as Deferred.Deferred<void> | undefined,
    looks: 0,
    opened: 0
  }
  const waits = Effect.suspend(() => (state.slow === undefined ? Effect.void : Deferred.await(state.slow)))
  const refused = (path: string) =>
    Effect.suspend(() => {
      const code = state.refusing.get(path)
      return code === undefined ? Effect.void : Effect.fail(systemError(code))
    })

  const platform: FileWatchPlatform = {
    isRecursive,
    resolve: (path) => path,
    at: (root, below) => (below === "" ? root : `${root}/${below}`),
    parentOf,
    nameOf,
    look: (path) =>
      Effect.andThen(
        waits,
        Effect.sync(() => {
          state.looks++
          return entries.get(path)
        })
      ),
    list: (path) =>
      Effect.andThen(
        Effect.andThen(waits, refused(`${path}/`)),
        Effect.suspend(() =>
          entries.get(path)?.kind === "Directory"
            ? Effect.succeed(
                [...entries]
                  .filter(([other]) => other !== path && parentOf(other) === path)
                  .map(([other, entry]) => [nameOf(other), entry] as const)
              )
            : Effect.fail(systemError("ENOENT"))
        )
      ),
    open: (path, hint) =>
      Effect.andThen(
        refused(path),
        Effect.suspend(() => {
          if (!entries.has(path)) return Effect.fail(systemError("ENOENT"))
          state.opened++
          const hints = watches.get(path) ?? new Set()
          watches.set(path, hints.add(hint))
          return Effect.succeed({
            close: () => {
              hints.delete(hint)
              if (hints.size === 0 && watches.get(path) === hints) watches.delete(path)
            }
          })
        })
      )
  }

  const hint = (path: string, hint: FileWatchHint): void => {
    for (const each of watches.get(path) ?? []) each(hint)
  }

  /** Something about a name: told by the watch of its directory, or of any above. */
  const hintOf = (path: string, written: boolean): void => {
    for (let above = parentOf(path); ; above = parentOf(above)) {
      const name = path.slice(above === "/" ? 1 : above.length + 1)
      hint(above, { _tag: "Named", name, written })
      if (!isRecursive || above === "/") return
    }
  }

  /** A change and its hint, as inotify has them. */
  const put = (path: string, entry: FileEntry): void => {
    const written = entries.has(path)
    entries.set(path, entry)
    hintOf(path, written)
  }

  const remove = (path: string): void => {
    for (const other of entries.keys()) if (other.startsWith(`${path}/`)) entries.delete(other)
    entries.delete(path)
    hint(path, { _tag: "Directory" })
    hintOf(path, false)
  }

  return { platform, entries, state, put, remove, hint, watched: () => [...watches.keys()].sort() }
}
