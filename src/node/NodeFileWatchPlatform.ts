/**
 * Watches by `fs.watch`: one for each directory on Linux, where Node's `recursive` is a loop of its own that loses
 * what is made in new directories; one for the whole tree on macOS and Windows, whose systems know how to.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import { codeOf } from "../reactor/Errno.ts"
import { type FileWatchHint, type FileWatchPlatform, SystemError } from "../reactor/FileWatchPlatform.ts"
import { list, look } from "./NodeFileWatchEntry.ts"
import type { NodeFileWatchFlood } from "./NodeFileWatchFlood.ts"

const isRecursive = process.platform === "darwin" || process.platform === "win32"

const systemError = (cause: unknown) => new SystemError({ code: codeOf(cause), cause })

const slashed = (name: string): string => (path.sep === "/" ? name : name.replaceAll(path.sep, "/"))

/** What `fs.watch` says, as hints. On Linux a directory's own end comes under its own name. */
const listen = (
  watcher: fs.FSWatcher,
  directory: string,
  flood: NodeFileWatchFlood,
  hint: (hint: FileWatchHint) => void
): void => {
  const own = path.basename(directory)
  watcher.on("change", (event, name) => {
    if (flood.count()) hint({ _tag: "Overflow" })
    if (typeof name !== "string") return hint({ _tag: "Directory" })
    if (name === own && event === "rename") hint({ _tag: "Directory" })
    hint({ _tag: "Named", name: slashed(name), written: event === "change" })
  })
  watcher.on("error", () => hint({ _tag: "Lost" }))
}

export const make = (flood: NodeFileWatchFlood): FileWatchPlatform => ({
  isRecursive,
  resolve: (name) => path.resolve(name),
  at: (root, below) => (below === "" ? root : path.join(root, below)),
  parentOf: path.dirname,
  nameOf: path.basename,
  look: (name, follow) => Effect.tryPromise({ try: () => look(name, follow), catch: systemError }),
  list: (name, follow) =>
    Effect.tryPromise({ try: (signal) => list(name, follow, signal), catch: systemError }),
  open: (directory, hint) =>
    Effect.try({
      try: () => {
        const watcher = fs.watch(directory, { recursive: isRecursive })
        listen(watcher, directory, flood, hint)
        return { close: () => watcher.close() }
      },
      catch: systemError
    })
})
