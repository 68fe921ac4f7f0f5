/** A text file as a whole, of limited size: what a configuration is read from. */
import * as fs from "node:fs/promises"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Errno from "../reactor/Errno.ts"

/** 1 MiB. */
export const bytesMaxDefault = 1024 * 1024

/**
 * - `NotFound`, `AccessDenied`. - `NotAFile`: a directory. - `TooLarge`: more than was allowed. - `NotText`: not UTF-8.
 * - `Unreadable`: whatever else the system says.
 */
export type Reason = "NotFound" | "AccessDenied" | "NotAFile" | "TooLarge" | "NotText" | "Unreadable"

/** The file cannot be had. `message` says which, and why. */
export class TextFileError extends Data.TaggedError("TextFileError")<{
  readonly path: string
  readonly reason: Reason
  readonly detail: string
  /** The operating system's name for it (`ENOENT`, ...), where it said so. */
  readonly errno: string | undefined
}> {
  override get message(): string {
    return `${this.path}: ${this.detail}`
  }
}

export interface Options {
  /** A longer file is refused, before it is read if its size is known. Default 1 MiB. */
  readonly bytesMax?: number | undefined
}

const reasons: Readonly<Record<string, readonly [Reason, string]>> = {
  ENOENT: ["NotFound", "there is no such file"],
  ENOTDIR: ["NotFound", "there is no such file"],
  EACCES: ["AccessDenied", "permission denied"],
  EPERM: ["AccessDenied", "permission denied"],
  EISDIR: ["NotAFile", "it is a directory"]
}

const refusal = (path: string, cause: unknown): TextFileError => {
  if (cause instanceof TextFileError) return cause
  const errno = Errno.codeOf(cause)
  const [reason, detail] = reasons[errno] ?? [
    "Unreadable" as const,
    cause instanceof Error ? cause.message : String(cause)
  ]
  return new TextFileError({ path, reason, detail, errno: errno === "" ? undefined : errno })
}

const refuse = (path: string, reason: Reason, detail: string): never => {
  throw new TextFileError({ path, reason, detail, errno: undefined })
}

const chunkBytes = 64 * 1024

/** A pipe (`--config <(command)`) has no size, so what is read is counted in any case. */
const contents = async (path: string, bytesMax: number, signal: AbortSignal): Promise<string> => {
  const handle = await fs.open(path, "r")
  try {
    const stats = await handle.stat()
    if (stats.isDirectory()) refuse(path, "NotAFile", "it is a directory")
    const tooLarge = `it has more than ${bytesMax} bytes`
    if (stats.size > bytesMax) refuse(path, "TooLarge", tooLarge)
    const pieces: Array<Buffer> = []
    let bytes = 0
    while (!signal.aborted) {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(chunkBytes), 0, chunkBytes, null)
      if (bytesRead === 0) break
      bytes += bytesRead
      if (bytes > bytesMax) refuse(path, "TooLarge", tooLarge)
      pieces.push(buffer.subarray(0, bytesRead))
    }
    return textOf(path, Buffer.concat(pieces))
  } finally {
    await handle.close()
  }
}

const textOf = (path: string, bytes: Buffer): string => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return refuse(path, "NotText", "it is not UTF-8 text")
  }
}

/** The text, without a byte order mark. */
export const read = (path: string, options?: Options): Effect.Effect<string, TextFileError> =>
  Effect.tryPromise({
    try: (signal) => contents(path, options?.bytesMax ?? bytesMaxDefault, signal),
    catch: (cause) => refusal(path, cause)
  })
