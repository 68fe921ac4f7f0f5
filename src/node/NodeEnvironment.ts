/** Where this process is, and what it was given. */
import * as path from "node:path"
import * as tty from "node:tty"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Errno from "../reactor/Errno.ts"

export class DirectoryError extends Data.TaggedError("DirectoryError")<{
  readonly directory: string
  readonly errno: string
}> {
  override get message(): string {
    const why = this.errno === "ENOENT" ? "there is no such directory" : this.errno
    return `${this.directory} cannot be entered: ${why}`
  }
}

export const absolute = (file: string): string => path.resolve(file)

/** The environment as it is now. */
export const variables = (): Readonly<Record<string, string | undefined>> => process.env

export const variable = (name: string): string | undefined => process.env[name]

export const pid = (): number => process.pid

export const enter = (directory: string): Effect.Effect<void, DirectoryError> =>
  Effect.try({
    try: () => process.chdir(directory),
    catch: (error) => new DirectoryError({ directory, errno: Errno.codeOf(error) })
  })

/** Permissions that new files do not get. */
export const umask = (mask: number): void => void process.umask(mask)

/** Whether a person reads what is printed. */
export const isTerminal = (): boolean => tty.isatty(1)

/** Whom systemd's watchdog watches, as it was told to the first process: a successor lives in its place. */
export const watchdogPid = (): number => Number(process.env["WATCHDOG_PID"] ?? process.pid)
