/**
 * A file of names and passwords, a line each: that of Twisted's `FilePasswordDB`, of htpasswd(1), and of passwd(5) where the
 * fields are said. Pure.
 *
 * ```
 * alice:secret
 * bob:$scrypt$ln=15,r=8,p=3$...
 * ```
 *
 * A line with too few fields is none, as in Twisted. Nothing is a comment, and nothing is unescaped.
 */
import * as Result from "effect/Result"
import { format as formatPassword, parse as parsePassword, type StoredPassword } from "./StoredPassword.ts"

export interface Options {
  /** Between the fields. Default `:`. */
  readonly delimiter?: string | undefined
  /** Which field is the name, from 0. Default 0. */
  readonly usernameField?: number | undefined
  /** Default 1. */
  readonly passwordField?: number | undefined
  /** Whether `Alice` and `alice` are two. Default true. */
  readonly caseSensitive?: boolean | undefined
  /** Whether passwords may stand there as they are. Default true, as in Twisted. */
  readonly plain?: boolean | undefined
}

/** A line that nobody can log in by. */
export interface Problem {
  /** From 1; `undefined` where it is about the user, and not about how the line is written. */
  readonly line: number | undefined
  /** A clause: `it is a bcrypt hash, which is not supported`. Never the password. */
  readonly detail: string
}

export interface Entries {
  /** Of two lines with one name the first counts. Twisted's, too; its cache takes the last one. */
  readonly users: ReadonlyMap<string, StoredPassword>
  readonly problems: ReadonlyArray<Problem>
}

/** A name as it is looked for. */
export const keyOf = (username: string, { caseSensitive = true }: Options = {}): string =>
  caseSensitive ? username : username.toLowerCase()

export const parse = (text: string, options: Options = {}): Entries => {
  const { delimiter = ":", passwordField = 1, plain = true, usernameField = 0 } = options
  const users = new Map<string, StoredPassword>()
  const problems: Array<Problem> = []
  text.split("\n").forEach((whole, index) => {
    // White space at the end of a line is none of the password's: Twisted's `rstrip`.
    const parts = withoutEnd(whole).split(delimiter)
    const name = parts[usernameField]
    const password = parts[passwordField]
    if (name === undefined || password === undefined) return
    const problem = (detail: string): number => problems.push({ line: index + 1, detail })
    const key = keyOf(name, options)
    const read = parsePassword(password)
    if (Result.isFailure(read)) problem(`the password of ${JSON.stringify(name)}: ${read.failure}`)
    else if (!plain && read.success._tag === "Plain") {
      problem(`the password of ${JSON.stringify(name)} is not hashed`)
    } else if (users.has(key)) problem(`the name ${JSON.stringify(name)} was there before`)
    else users.set(key, read.success)
  })
  return { users, problems }
}

const space = " \t\n\v\f\r"

const withoutEnd = (line: string): string => {
  let end = line.length
  while (end > 0 && space.includes(line[end - 1]!)) end--
  return line.slice(0, end)
}

/** A line for `alice`, with its line feed; `undefined` for what cannot be written: a delimiter or line feed inside. */
export const format = (
  username: string,
  password: StoredPassword,
  { delimiter = ":" }: Pick<Options, "delimiter"> = {}
): string | undefined => {
  const text = formatPassword(password)
  const fits = (field: string) => !field.includes(delimiter) && !/[\n\r]/.test(field)
  if (text === undefined || !fits(username) || !fits(text) || /[ \t\v\f]$/.test(text)) return undefined
  return `${username}${delimiter}${text}\n`
}
