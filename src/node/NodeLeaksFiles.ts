/**
 * Files opened through `node:fs` that are open still. A descriptor is a number, no handle: that it is made is seen by
 * standing in `fs.open` and its like, that it is gone by asking the system whose number that is now.
 */
import * as fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"

export interface File {
  readonly descriptor: number
  readonly path: string
  readonly device: bigint
  readonly inode: bigint
}

const look = (descriptor: number): fs.BigIntStats | undefined => {
  try {
    return fs.fstatSync(descriptor, { bigint: true })
  } catch {
    return undefined
  }
}

/** The descriptor may have become another file's. */
export const isFileOpen = (file: File): boolean => {
  const now = look(file.descriptor)
  return now !== undefined && now.dev === file.device && now.ino === file.inode
}

type Opened = (error: NodeJS.ErrnoException | null, descriptor: number) => void

/** Calls `asked` on the stack that asks for a file, and what it gave with the file, once that is open. */
export const watch = (asked: () => (file: File) => void): { readonly stop: () => void } => {
  // The object that `import fs from "node:fs"` gives: the names of the module are copies of its properties.
  const module = process.getBuiltinModule("node:fs")
  const { open, openSync } = module
  const openPromise = module.promises.open
  const tell = (opened: (file: File) => void, path: fs.PathLike, descriptor: number): void => {
    const stats = look(descriptor)
    if (stats === undefined) return
    opened({ descriptor, path: String(path), device: stats.dev, inode: stats.ino })
  }

  const watchingOpenSync = (...parameters: Parameters<typeof fs.openSync>): number => {
    const descriptor = openSync(...parameters)
    tell(asked(), parameters[0], descriptor)
    return descriptor
  }
  const watchingOpen = (...parameters: ReadonlyArray<unknown>): void => {
    const given = parameters.at(-1) as Opened
    const plain = open as (...parameters: ReadonlyArray<unknown>) => void
    if (typeof given !== "function") return plain(...parameters)
    const opened = asked()
    plain(...parameters.slice(0, -1), (...result: Parameters<Opened>) => {
      if (!result[0]) tell(opened, parameters[0] as fs.PathLike, result[1])
      given(...result)
    })
  }
  // Also what hangs on it: `util.promisify.custom`.
  Object.defineProperties(watchingOpen, Object.getOwnPropertyDescriptors(open))
  const watchingOpenPromise = async (
    ...parameters: Parameters<typeof fs.promises.open>
  ): Promise<fs.promises.FileHandle> => {
    const opened = asked()
    const handle = await openPromise(...parameters)
    tell(opened, parameters[0], handle.fd)
    return handle
  }

  module.openSync = watchingOpenSync
  module.open = watchingOpen as typeof fs.open
  module.promises.open = watchingOpenPromise
  syncBuiltinESMExports()
  return {
    stop: () => {
      if (module.openSync === watchingOpenSync) module.openSync = openSync
      if (module.open === (watchingOpen as typeof fs.open)) module.open = open
      if (module.promises.open === watchingOpenPromise) module.promises.open = openPromise
      syncBuiltinESMExports()
    }
  }
}
