/**
 * Variables of the environment from files (`--env-file`), in the format of Node's own `--env-file`: `NAME=value`, `#` comments, quotes of
 * three kinds, values of several lines within them, `export` before a name.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import * as util from "node:util"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Errno from "../reactor/Errno.ts"
import { quoted } from "../reactor/EndpointExcerpt.ts"
import { visible } from "../result/VisibleText.ts"

/** A file that cannot be read, or holds what no environment can. Values are not told: they may be secrets. */
export class EnvFileError extends Data.TaggedError("EnvFileError")<{
  /** Absolute. */
  readonly path: string
  readonly detail: string
  /** The operating system's name for it (`ENOENT`, ...), if it came from there. */
  readonly errno?: string | undefined
  readonly cause?: unknown
}> {
  override get message(): string {
    return `environment file ${visible(this.path)}: ${this.detail}`
  }
}

export interface Options {
  /** Whether a file's value is taken for a variable that exists already. Default `false`, as Node's. */
  readonly override?: boolean | undefined
  /** What the variables are put into. Default: this process's. */
  readonly environment?: Record<string, string | undefined> | undefined
}

const fileBytesMax = 1_048_576
const nameOf = /^[A-Za-z_][A-Za-z0-9_.-]*$/

/** The variables of one file. */
export const read = (file: string): Effect.Effect<Readonly<Record<string, string>>, EnvFileError> =>
  Effect.suspend(() => {
    const absolute = path.resolve(file)
    const refuse = (detail: string, cause?: unknown) =>
      Effect.fail(
        new EnvFileError({
          path: absolute,
          detail,
          ...(cause === undefined ? {} : { errno: Errno.codeOf(cause), cause })
        })
      )
    let bytes: Uint8Array
    try {
      const kind = fs.statSync(absolute)
      if (kind.isDirectory()) return refuse("it is a directory")
      if (kind.size > fileBytesMax) return refuse(`it is longer than ${fileBytesMax} bytes`)
      bytes = fs.readFileSync(absolute)
    } catch (error) {
      return refuse(
        details[Errno.codeOf(error)] ?? (error instanceof Error ? error.message : String(error)),
        error
      )
    }
    let text: string
    try {
      // Without the byte order mark, if there is one.
      text = new TextDecoder("utf-8", { fatal: true }).decode(bytes)
    } catch {
      return refuse("it is not UTF-8")
    }
    if (text.includes("\0")) return refuse("it holds a NUL character")
    const variables = util.parseEnv(text) as Record<string, string>
    const bad = Object.keys(variables).find((name) => !nameOf.test(name))
    return bad === undefined ? Effect.succeed(variables) : refuse(`${quoted(bad)} is no name of a variable`)
  })

const details: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EACCES: "this process may not read it"
}

/**
 * Puts the variables of all files into the environment, and tells which ones. What was there before wins unless `override`; of
 * several files the last. If one file cannot be read, nothing is changed.
 */
export const load = (
  files: ReadonlyArray<string>,
  { environment = process.env, override = false }: Options = {}
): Effect.Effect<ReadonlyArray<string>, EnvFileError> =>
  Effect.map(Effect.forEach(files, read), (all) => {
    const found: Record<string, string> = Object.assign({}, ...all)
    const names = Object.keys(found).filter((name) => override || environment[name] === undefined)
    for (const name of names) environment[name] = found[name]
    return names
  })
