/**
 * What a node keeps, on its disk: a journal of changes, a line each, with a checksum. It only grows; a real one would be
 * written anew from time to time.
 */
import * as zlib from "node:zlib"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import { apply, type Change, type Kept } from "./LogState.ts"

export interface LogStore {
  /** What was there when it was opened. */
  readonly kept: Kept
  readonly write: (change: Change) => Effect.Effect<void, PlatformError>
  /** What was written stays, whatever happens, when this is over. */
  readonly sync: Effect.Effect<void, PlatformError>
}

const empty: Kept = { term: 0, vote: undefined, log: [] }

/**
 * Opens the journal, or makes it. A write that a crash has torn was never synced, so nobody was told of it: it is cut off. What
 * can be read need not be safe yet, and so is synced.
 */
export const open = Effect.fn("LogStore.open")(function* (
  path: string
): Effect.fn.Return<LogStore, PlatformError, FileSystem.FileSystem | Path.Path | Scope.Scope> {
  const fs = yield* FileSystem.FileSystem
  const directory = (yield* Path.Path).dirname(path)
  yield* fs.makeDirectory(directory, { recursive: true })
  const file = yield* fs.open(path, { flag: "a+" })
  const bytes = yield* fs.readFile(path)
  const { kept, length } = read(bytes)
  if (length < bytes.length) yield* file.truncate(length)
  yield* file.sync
  // And its name.
  yield* Effect.scoped(Effect.flatMap(fs.open(directory), ({ sync }) => sync))
  return {
    kept,
    write: (change) => file.writeAll(new TextEncoder().encode(format(change))),
    sync: file.sync
  }
})

/** `CHECKSUM JSON`, and a newline. */
const format = (change: Change): string => {
  const json = JSON.stringify(change)
  return `${checksum(json)} ${json}\n`
}

const checksum = (json: string): string => zlib.crc32(json).toString(16).padStart(8, "0")

/** What the lines come to, up to the first that is not whole; and the bytes of those. */
const read = (bytes: Uint8Array): { readonly kept: Kept; readonly length: number } => {
  let [kept, length] = [empty, 0]
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, length)) {
    const line = new TextDecoder().decode(bytes.subarray(length, end))
    const json = line.slice(9)
    if (line !== `${checksum(json)} ${json}`) break
    // It is what was written here.
    kept = apply(kept, JSON.parse(json) as Change)
    length = end + 1
  }
  return { kept, length }
}
