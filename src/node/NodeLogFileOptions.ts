/** What a log file is told when it is made. */
import * as fs from "node:fs"
import type { Rotation } from "./NodeLogFileRotation.ts"

export interface RotationOptions {
  /** The file is never longer, unless one line is. Default 1,000,000, Twisted's; `Infinity` if `daily`. */
  readonly bytes?: number | undefined
  /**
   * Old files that are kept, at least 1. Default 10, so that no disk is filled: 11 MB at most. Twisted keeps all, which is
   * `Infinity` here.
   */
  readonly keep?: number | undefined
  /** Whether each day has its file, `log.2020-01-31`, instead of `log.1`, `log.2`. Default false. */
  readonly daily?: boolean | undefined
}

export interface Options {
  /** `-` is standard output, `+` standard error. A file that is not there is made; its directory is not. */
  readonly path: string
  /** Of a new file, less the umask. Default 0640. */
  readonly mode?: number | undefined
  /** Who owns it, where the process gives up its privileges later. Default: whoever opens it. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  /** `never`: somebody else does it. What is no regular file is never rotated. */
  readonly rotate?: RotationOptions | "never" | undefined
  /** What may wait for a pipe that is not read, in UTF-16 units; what comes then is lost. Default 1 MiB. */
  readonly bufferLengthMax?: number | undefined
  /** What stands in the file where lines were lost; without a line's end. */
  readonly lossLine?: ((lost: number, detail: string, time: number) => string) | undefined
  /** Told, in one line, when the file cannot be written to, and when it can be again. Default: standard error. */
  readonly complain?: ((text: string) => void) | undefined
}

export interface Statistics {
  /** That were given. */
  readonly lines: number
  readonly lost: number
  readonly rotations: number
  /** What is wrong with it now. */
  readonly failing: string | undefined
}

export const complainDefault = (text: string): void => {
  try {
    fs.writeSync(2, `${text}\n`)
  } catch {
    // Nobody is there to be told.
  }
}

export const lossLineDefault = (lost: number, detail: string, time: number): string =>
  `${new Date(time).toISOString()} [spindle.log#error] ${lost} lines were lost here: ${detail}`

export const rotationOf = (options: Options): Rotation | undefined => {
  if (options.rotate === "never") return undefined
  const { bytes, daily = false, keep = 10 } = options.rotate ?? {}
  return { bytes: bytes ?? (daily ? Infinity : 1_000_000), keep: Math.max(1, Math.floor(keep)), daily }
}
