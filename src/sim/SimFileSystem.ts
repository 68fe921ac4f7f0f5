/** Effect's `FileSystem` on the disk of a simulated host. Links that are names of names, and watching, are not supported. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { badArgument, type PlatformError, systemError } from "effect/PlatformError"
import * as Stream from "effect/Stream"
import { type Disk, DiskError } from "./Disk.ts"
import type { DiskOperation } from "./DiskFaults.ts"
import { infoOf } from "./DiskInfo.ts"
import type { DiskNode } from "./DiskNode.ts"
import { handle } from "./SimFile.ts"
import type { SimNode } from "./SimNode.ts"

/** Does something with the disk, when its time has come. */
export type Perform = <A>(
  operation: DiskOperation,
  method: string,
  path: string,
  body: (disk: Disk) => A
) => Effect.Effect<A, PlatformError>

const performing =
  (node: SimNode): Perform =>
  (operation, method, path, body) =>
    Effect.callback((resume) => {
      const { disk, diskFaults, machine } = node
      const moment = machine.plan(diskFaults.nanos(operation), () => {
        try {
          diskFaults.meet(operation)
          resume(Effect.succeed(body(disk)))
        } catch (error) {
          resume(
            error instanceof DiskError ? Effect.fail(platformError(error, method, path)) : Effect.die(error)
          )
        }
      })
      return Effect.sync(() => machine.engine.cancel(moment))
    })

export const make = (node: SimNode): FileSystem.FileSystem => {
  const perform = performing(node)
  const unsupported = (method: string) =>
    Effect.fail(badArgument({ module: "FileSystem", method, description: "the simulated disk has none" }))
  const info = (path: string, method: string) =>
    perform("read", method, path, (disk) => infoOf(disk.get(path)))
  const temporary = (directory = "/tmp", prefix = "") =>
    `${directory}/${prefix}${node.machine.seed.word().toString(36)}${node.machine.seed.word().toString(36)}`
  const makeDirectory: FileSystem.FileSystem["makeDirectory"] = (path, options) =>
    perform("write", "makeDirectory", path, (disk) =>
      disk.makeDirectory(path, options?.mode ?? 0o755, options?.recursive ?? false)
    )
  const remove: FileSystem.FileSystem["remove"] = (path, options) =>
    perform("write", "remove", path, (disk) => {
      if (options?.force === true && disk.find(path) === undefined) return
      disk.remove(path, options?.recursive ?? false)
    })
  const removed = (path: string) => Effect.ignore(remove(path, { recursive: true, force: true }))
  const open: FileSystem.FileSystem["open"] = (path, { flag = "r", mode = 0o644 } = {}) =>
    perform(flag.startsWith("r") ? "read" : "write", "open", path, (disk) =>
      handle(perform, path, opened(disk, path, flag, mode), flag)
    )
  const writeFile: FileSystem.FileSystem["writeFile"] = (path, data, { flag = "w", mode = 0o644 } = {}) =>
    perform("write", "writeFile", path, (disk) => {
      const node = opened(disk, path, flag, mode)
      if (node._tag === "Directory") throw new DiskError("EISDIR", "illegal operation on a directory")
      disk.write(node, flag.startsWith("a") ? node.size : 0, data)
    })
  const makeTempDirectory: FileSystem.FileSystem["makeTempDirectory"] = (options) =>
    Effect.suspend(() => {
      const path = temporary(options?.directory, options?.prefix)
      return Effect.as(makeDirectory(path), path)
    })
  const makeTempFile: FileSystem.FileSystem["makeTempFile"] = (options) =>
    Effect.suspend(() => {
      const path = temporary(options?.directory, options?.prefix) + (options?.suffix ?? "")
      return Effect.as(writeFile(path, new Uint8Array(0)), path)
    })
  return FileSystem.make({
    access: (path) => Effect.asVoid(info(path, "access")),
    copy: (from, to, options) =>
      perform("write", "copy", from, (disk) => copy(disk, from, to, options?.overwrite ?? true)),
    copyFile: (from, to) => perform("write", "copyFile", from, (disk) => copy(disk, from, to, true)),
    chmod: (path, mode) =>
      perform("write", "chmod", path, (disk) => {
        disk.get(path).mode = mode
      }),
    chown: (path) => Effect.asVoid(info(path, "chown")),
    link: (from, to) => perform("write", "link", from, (disk) => disk.link(from, to)),
    lstat: (path) => info(path, "lstat"),
    makeDirectory,
    makeTempDirectory,
    makeTempDirectoryScoped: (options) => Effect.acquireRelease(makeTempDirectory(options), removed),
    makeTempFile,
    makeTempFileScoped: (options) => Effect.acquireRelease(makeTempFile(options), removed),
    open,
    readDirectory: (path, options) =>
      perform("read", "readDirectory", path, (disk) => list(disk, path, options?.recursive ?? false)),
    readDirectoryEntries: (path) =>
      perform("read", "readDirectoryEntries", path, (disk) =>
        [...disk.directory(path).names].map(([name, node]) => ({ name, type: node._tag }))
      ),
    readFile: (path) => perform("read", "readFile", path, (disk) => disk.file(path).read()),
    readLink: () => unsupported("readLink"),
    realPath: (path) => Effect.as(info(path, "realPath"), path),
    remove,
    rename: (from, to) => perform("write", "rename", from, (disk) => disk.rename(from, to)),
    stat: (path) => info(path, "stat"),
    symlink: () => unsupported("symlink"),
    truncate: (path, length = 0) =>
      perform("write", "truncate", path, (disk) => disk.truncate(disk.file(path), length)),
    utimes: (path, _, modified) =>
      perform("write", "utimes", path, (disk) => {
        disk.get(path).modifiedMillis = typeof modified === "number" ? modified * 1_000 : modified.getTime()
      }),
    watch: () => Stream.fromEffect(unsupported("watch")),
    writeFile
  })
}

/** What is opened; made, emptied or refused as the flag has it (open(2)). */
const opened = (disk: Disk, path: string, flag: FileSystem.OpenFlag, mode: number): DiskNode => {
  const known = disk.find(path)
  if (known === undefined) {
    if (flag.startsWith("r")) throw new DiskError("ENOENT", "no such file or directory")
    return disk.create(path, mode)
  }
  if (flag.includes("x")) throw new DiskError("EEXIST", "it is there already")
  if (flag.startsWith("w") && known._tag === "File") disk.truncate(known, 0)
  if (flag !== "r" && known._tag === "Directory") {
    throw new DiskError("EISDIR", "illegal operation on a directory")
  }
  return known
}

const list = (disk: Disk, path: string, recursive: boolean): Array<string> =>
  [...disk.directory(path).names].flatMap(([name, node]) =>
    recursive && node._tag === "Directory"
      ? [name, ...list(disk, `${path}/${name}`, true).map((below) => `${name}/${below}`)]
      : [name]
  )

const copy = (disk: Disk, from: string, to: string, overwrite: boolean): void => {
  const node = disk.get(from)
  if (disk.find(to) !== undefined && !overwrite) throw new DiskError("EEXIST", "it is there already")
  if (node._tag === "Directory") {
    disk.makeDirectory(to, node.mode, true)
    for (const name of node.names.keys()) copy(disk, `${from}/${name}`, `${to}/${name}`, overwrite)
    return
  }
  const target = opened(disk, to, "w", node.mode)
  if (target._tag === "File") disk.write(target, 0, node.read())
}

const tags = {
  ENOENT: "NotFound",
  EEXIST: "AlreadyExists",
  EISDIR: "BadResource",
  ENOTDIR: "BadResource",
  EBUSY: "Busy"
} as const

/** As Effect's adapter for Node maps the codes. */
const platformError = (cause: DiskError, method: string, path: string): PlatformError =>
  systemError({
    _tag: tags[cause.code as keyof typeof tags] ?? "Unknown",
    module: "FileSystem",
    method,
    pathOrDescriptor: path,
    description: cause.message,
    cause
  })
