/**
 * Brings a command line into one order. `twistd` takes its own options before the subcommand and the subcommand's after it;
 * here the daemon's options may stand on either side: those before the command's word are moved behind it, by their full names.
 * What stands behind it belongs to the command first: `-d` of `portforward` is not `--rundir`.
 */
import * as Result from "effect/Result"
import * as DaemonOption from "./DaemonOption.ts"
import { UsageError } from "./UsageError.ts"

/** `run FILE` in Twisted's words. */
const runSpellings: ReadonlyArray<string> = ["-y", "--python"]

/** Options that the root itself answers. */
const rootOptions: Readonly<Record<string, string>> = {
  "-h": "--help",
  "--help": "--help",
  "-v": "--version",
  "-V": "--version",
  "--version": "--version"
}

/** A token as an option: its spelling, and the value that is part of it. */
interface Spelled {
  readonly spelling: string
  readonly value: string | undefined
}

/** `--a`, `--a=b`, `-a`, `-ab` where `-a` takes a value. A cluster `-ab` of flags is several. */
const spelled = (token: string): ReadonlyArray<Spelled> => {
  if (token.startsWith("--")) {
    const equals = token.indexOf("=")
    return equals === -1
      ? [{ spelling: token, value: undefined }]
      : [{ spelling: token.slice(0, equals), value: token.slice(equals + 1) }]
  }
  const spelling = token.slice(0, 2)
  const rest = token.slice(2)
  if (rest === "") return [{ spelling, value: undefined }]
  const takesValue = DaemonOption.find(spelling)?.takesValue === true || runSpellings.includes(spelling)
  if (takesValue) return [{ spelling, value: rest.startsWith("=") ? rest.slice(1) : rest }]
  return [{ spelling, value: undefined }, ...spelled(`-${rest}`)]
}

const isOption = (token: string): boolean => token.startsWith("-") && token !== "-"

/** What stands before the command's word, and where that is. */
interface Head {
  /** Daemon options by full name, in order. */
  readonly moved: ReadonlyArray<string>
  /** What the root answers, or cannot understand. */
  readonly kept: ReadonlyArray<string>
  /** The command's word and all that follows. */
  readonly rest: ReadonlyArray<string>
}

const readHead = (args: ReadonlyArray<string>): Result.Result<Head, UsageError> => {
  const moved: Array<string> = []
  const kept: Array<string> = []
  for (let at = 0; at < args.length; at++) {
    const token = args[at]!
    if (!isOption(token)) return Result.succeed({ moved, kept, rest: args.slice(at) })
    if (token === "--") return Result.succeed({ moved, kept, rest: args.slice(at + 1) })
    for (const { spelling, value } of spelled(token)) {
      const next = (): string | undefined => value ?? args[++at]
      if (runSpellings.includes(spelling)) {
        const file = next()
        if (file === undefined) return Result.fail(new UsageError({ detail: `${spelling} needs a file` }))
        return Result.succeed({ moved, kept, rest: ["run", file, ...args.slice(at + 1)] })
      }
      const known = DaemonOption.find(spelling)
      const why = known === undefined ? DaemonOption.refused[spelling] : undefined
      if (why !== undefined) return Result.fail(new UsageError({ detail: `${spelling} is refused: ${why}` }))
      if (DaemonOption.ignored.includes(spelling)) continue
      if (known === undefined) {
        kept.push(rootOptions[spelling] ?? token)
        break
      }
      if (!known.takesValue) {
        if (value !== undefined) {
          return Result.fail(
            new UsageError({ detail: `--${known.name} takes no value, not even "${value}"` })
          )
        }
        moved.push(`--${known.name}`)
        continue
      }
      const given = next()
      if (given === undefined) {
        return Result.fail(
          new UsageError({ detail: `--${known.name} needs a value: ${known.metavar ?? ""}` })
        )
      }
      moved.push(`--${known.name}=${given}`)
    }
  }
  return Result.succeed({ moved, kept, rest: [] })
}

const isDaemons = ({ spelling }: Spelled): boolean =>
  DaemonOption.find(spelling) !== undefined || DaemonOption.ignored.includes(spelling)

/** What a command has of its own. */
export interface Own {
  /** Its options, with their dashes. */
  readonly options: ReadonlySet<string>
  /** Those of them that take a value. */
  readonly valued: ReadonlySet<string>
  /** Whether it takes any number of operands: what follows the first is for whatever that names. */
  readonly takesProgram: boolean
}

/** Nothing of its own. */
export const bare: Own = { options: new Set(), valued: new Set(), takesProgram: false }

/** Behind the command's word: its own options stay, those that it does not have are the daemon's or the root's. */
const readTail = (tokens: ReadonlyArray<string>, own: Own): ReadonlyArray<string> => {
  const read: Array<string> = []
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!
    if (token === "--") return [...read, ...tokens.slice(at)]
    if (own.takesProgram && !isOption(token)) return [...read, "--", ...tokens.slice(at)]
    if (own.valued.has(token) && at + 1 < tokens.length) {
      read.push(token, tokens[++at]!)
      continue
    }
    if (token === "-h" && !own.options.has(token)) {
      read.push("--help")
      continue
    }
    const parts = isOption(token) ? spelled(token) : []
    const isOther = parts.length === 0 || own.options.has(parts[0]!.spelling) || !parts.every(isDaemons)
    if (isOther) {
      read.push(token)
      continue
    }
    for (const { spelling, value } of parts) {
      const known = DaemonOption.find(spelling)
      if (known === undefined) continue
      const given = value ?? (known.takesValue && at + 1 < tokens.length ? tokens[++at] : undefined)
      read.push(given === undefined ? `--${known.name}` : `--${known.name}=${given}`)
    }
  }
  return read
}

/**
 * Of a command that takes a whole command line: its own options, and where that line begins, as operands. `-y FILE` begins one.
 *
 * @param valued those of its options that take a value, with their dashes
 */
const readLine = (tokens: ReadonlyArray<string>, valued: ReadonlyArray<string>): ReadonlyArray<string> => {
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!
    if (token === "--") return tokens
    const word = runSpellings.includes(token) ? ["run"] : isOption(token) ? undefined : [token]
    if (word !== undefined) return [...tokens.slice(0, at), "--", ...word, ...tokens.slice(at + 1)]
    if (valued.includes(token)) at++
  }
  return tokens
}

/** The word that says which command, if there is one. */
export const wordOf = (args: ReadonlyArray<string>): Result.Result<string | undefined, UsageError> =>
  Result.map(readHead(args), ({ rest }) => rest[0])

/**
 * The arguments in the order command, its options, the daemon's.
 *
 * @param commands.runsDaemon whether a command takes the daemon's options
 */
export const arrange = (
  args: ReadonlyArray<string>,
  commands: {
    readonly ownOf: (word: string) => Own
    readonly runsDaemon: (word: string) => boolean
    /** Of a command that takes the line of another one: those of its own options that take a value. */
    readonly takesLine: (word: string) => ReadonlyArray<string> | undefined
  }
): Result.Result<ReadonlyArray<string>, UsageError> =>
  Result.flatMap(readHead(args), ({ kept, moved, rest }) => {
    const [word, ...tail] = rest
    if (word === undefined) {
      return moved.length === 0 || kept.length > 0
        ? Result.succeed(kept)
        : Result.fail(new UsageError({ detail: "there is no command: what is to be run?" }))
    }
    if (!commands.runsDaemon(word)) {
      const valued = commands.takesLine(word)
      const own = valued === undefined ? tail : readLine(tail, valued)
      return moved.length === 0
        ? Result.succeed([...kept, word, ...own.map((token) => (token === "-h" ? "--help" : token))])
        : Result.fail(new UsageError({ detail: `${moved[0]!.split("=")[0]!} is of no use to "${word}"` }))
    }
    const operands = readTail(tail, commands.ownOf(word))
    return Result.succeed([...kept, word, ...moved, ...operands])
  })
