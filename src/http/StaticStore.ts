/**
 * Where files that are served come from: Node's file system unless another one is provided, so that tests and simulations
 * replace it.
 *
 * ```ts check
 * import * as Layer from "effect/Layer"
 * import { StaticFiles, StaticStore } from "spindle/http"
 *
 * const files = StaticFiles.layer({ root: "/www" }).pipe(Layer.provide(StaticStore.layerFileSystem))
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as PlatformErrors from "effect/PlatformError"
import * as NodeFileStore from "../node/NodeFileStore.ts"
import * as Errno from "../reactor/Errno.ts"

export type { FileStore, OpenFile, StoredInfo } from "../node/NodeFileStore.ts"

export const StaticStore = Context.Reference<NodeFileStore.FileStore>("spindle/http/StaticStore", {
  defaultValue: () => NodeFileStore.make
})

const infoOf = (info: FileSystem.File.Info): NodeFileStore.StoredInfo => {
  const modifiedMillis = Option.match(info.mtime, { onNone: () => 0, onSome: (_) => _.getTime() })
  const kind = info.type
  return {
    kind: kind === "File" || kind === "Directory" ? kind : kind === "SymbolicLink" ? "Link" : "Other",
    sizeBytes: Number(info.size),
    modifiedMillis,
    stamp: `${Option.getOrElse(info.ino, () => 0n).toString(36)}-${BigInt(info.size).toString(36)}-${modifiedMillis.toString(36)}`
  }
}

/** What `FileSystem` has no name for, and cannot be there. */
const absent = new Set(["ELOOP", "ENAMETOOLONG", "EINVAL", "ENOTDIR", "ENXIO", "ENODEV"])

const asNotFound = (path: string) =>
  Effect.mapError((error: PlatformErrors.PlatformError) =>
    absent.has(Errno.codeOf(error.reason.cause)) ? notFound(path, "there cannot be such a file") : error
  )

const notFound = (path: string, description: string) =>
  PlatformErrors.systemError({
    _tag: "NotFound",
    module: "FileStore",
    method: "open",
    description,
    pathOrDescriptor: path
  })

/** The same over Effect's `FileSystem`. Its time stamps have milliseconds, so that tags are coarser. */
export const make = (fileSystem: FileSystem.FileSystem, path: Path.Path): NodeFileStore.FileStore => ({
  isWindows: path.sep === "\\",
  separator: path.sep,
  realPath: fileSystem.realPath,
  list: fileSystem.readDirectory,
  look: (file) => Effect.map(fileSystem.lstat(file), infoOf),
  open: Effect.fnUntraced(
    function* (file: string) {
      const realPath = yield* fileSystem.realPath(file)
      const info = infoOf(yield* fileSystem.stat(realPath))
      // Whoever opens a FIFO waits for its other end.
      if (info.kind !== "File") return { ...info, realPath, read: () => Effect.succeed(new Uint8Array(0)) }
      const handle = yield* fileSystem.open(realPath)
      const opened = infoOf(yield* handle.stat)
      if (opened.kind !== "File" || (yield* fileSystem.realPath(realPath)) !== realPath)
        return yield* Effect.fail(notFound(file, "it was replaced meanwhile"))
      return {
        ...opened,
        realPath,
        read: (offset: number, bytesMax: number) =>
          Effect.map(handle.readAlloc(bytesMax, { position: BigInt(offset) }), (bytes) =>
            Option.isNone(bytes) ? new Uint8Array(0) : (bytes.value as Uint8Array<ArrayBuffer>)
          )
      }
    },
    (effect, file) => asNotFound(file)(effect)
  )
})

/** Files by the `FileSystem` and `Path` that are provided. */
export const layerFileSystem: Layer.Layer<never, never, FileSystem.FileSystem | Path.Path> = Layer.effect(
  StaticStore
)(
  Effect.gen(function* () {
    return make(yield* FileSystem.FileSystem, yield* Path.Path)
  })
)
