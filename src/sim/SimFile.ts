import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import { DiskError } from "./Disk.ts"
import { DiskFile, type DiskNode } from "./DiskNode.ts"
import { infoOf } from "./DiskInfo.ts"
import type { Perform } from "./SimFileSystem.ts"

/** An open file: a place in it, from which reading and writing go on. */
export const handle = (
  perform: Perform,
  path: string,
  node: DiskNode,
  flag: FileSystem.OpenFlag
): FileSystem.File => {
  let place = 0
  const isAppending = flag.startsWith("a")
  const file = (): DiskFile => {
    if (node instanceof DiskFile) return node
    throw new DiskError("EISDIR", "illegal operation on a directory")
  }
  const readable = (options: FileSystem.File.ReadOptions | undefined, size: number): Uint8Array => {
    const at = options?.position === undefined ? place : Number(options.position)
    const bytes = file().read(at, at + size)
    if (options?.position === undefined) place += bytes.length
    return bytes
  }
  const write = (method: string, bytes: Uint8Array) =>
    perform("write", method, path, (disk) => {
      if (flag === "r") throw new DiskError("EBADF", "it is open for reading only")
      const at = isAppending ? file().size : place
      disk.write(file(), at, bytes)
      place = at + bytes.length
      return bytes.length
    })
  return {
    [FileSystem.FileTypeId]: FileSystem.FileTypeId,
    stat: perform("read", "stat", path, () => infoOf(node)),
    seek: (offset, from) =>
      Effect.sync(() => {
        place = Number(offset) + (from === "start" ? 0 : place)
        return BigInt(place)
      }),
    sync: perform("sync", "sync", path, (disk) => disk.sync(path, node)),
    read: (buffer, options) =>
      perform("read", "read", path, () => {
        const bytes = readable(options, buffer.length)
        buffer.set(bytes)
        return bytes.length
      }),
    readAlloc: (size, options) =>
      perform("read", "readAlloc", path, () => {
        const bytes = readable(options, size)
        return bytes.length === 0 ? Option.none() : Option.some(bytes)
      }),
    truncate: (length = 0) =>
      perform("write", "truncate", path, (disk) => {
        disk.truncate(file(), length)
        if (!isAppending) place = Math.min(place, length)
      }),
    write: (bytes) => write("write", bytes),
    writeAll: (bytes) => Effect.asVoid(write("writeAll", bytes))
  }
}
