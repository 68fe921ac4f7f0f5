/**
 * The files of Node's packages, and its loader of modules: what `PluginSource` asks of a platform. A few hundred small files are
 * looked at in one go, so it reads them synchronously: that takes a fraction of what as many tasks for Node's threads would.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import { codeOf } from "../reactor/Errno.ts"
import { SystemError } from "../reactor/FileWatchPlatform.ts"

const systemError = (cause: unknown) => new SystemError({ code: codeOf(cause), cause })

const absent = new Set(["ENOENT", "ENOTDIR", "ELOOP"])

/** Gives nothing where nothing is. */
const found = <A>(look: () => A): Effect.Effect<A | undefined, SystemError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(look())
    } catch (cause) {
      return absent.has(codeOf(cause)) ? Effect.undefined : Effect.fail(systemError(cause))
    }
  })

const folders = (directory: string): ReadonlyArray<string> => {
  const entries = fs.readdirSync(directory, { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink()).map(({ name }) => name)
}

/** A pipe of that name must not be waited for. */
const flags = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0)

const read = (file: string, bytesMax: number): Uint8Array | undefined => {
  const descriptor = fs.openSync(file, flags)
  try {
    const stats = fs.fstatSync(descriptor)
    if (!stats.isFile()) return undefined
    if (stats.size > bytesMax) {
      throw Object.assign(new Error(`it has ${stats.size} bytes, more than ${bytesMax}`), { code: "EFBIG" })
    }
    return fs.readFileSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}

/** To be given to `PluginSource.layer`. */
export const files = {
  resolve: (name: string): string => path.resolve(name),
  at: (directory: string, below: string): string => path.join(directory, below),
  parentOf: (name: string): string => path.dirname(name),
  nameOf: (name: string): string => path.basename(name),
  split: (list: string): ReadonlyArray<string> => list.split(path.delimiter).filter((name) => name !== ""),
  folders: (directory: string) => found(() => folders(directory)),
  read: (file: string, bytesMax: number) => found(() => read(file, bytesMax)),
  realPath: (name: string) => found(() => fs.realpathSync(name)),
  load: (file: string) =>
    Effect.tryPromise(() => import(pathToFileURL(file).href) as Promise<Readonly<Record<string, unknown>>>)
}
