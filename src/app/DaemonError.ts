import * as Data from "effect/Data"
import * as ExitStatus from "./ExitStatus.ts"

/** Why a daemon did not start, or ended. One line for people, and its exit code. */
export class DaemonError extends Data.TaggedError("DaemonError")<{
  readonly detail: string
  /** See `ExitStatus`. */
  readonly status: number
  readonly cause?: unknown
}> {
  override get message(): string {
    return this.detail
  }
}

/** By which the code is found: every error of this library that can end a daemon. */
const statuses: Readonly<Record<string, number>> = {
  ConfigurationError: ExitStatus.codes.CONFIG,
  EnvFileError: ExitStatus.codes.CONFIG,
  LogFileError: ExitStatus.codes.CANTCREAT,
  PidFileError: ExitStatus.codes.CANTCREAT,
  PrivilegesError: ExitStatus.codes.NOPERM,
  ProfileError: ExitStatus.codes.CANTCREAT,
  ServiceError: ExitStatus.codes.UNAVAILABLE
}

const tagOf = (error: unknown): string | undefined =>
  typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : undefined

const reasonOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "reason" in error ? error.reason : undefined

const statusOf = (error: unknown): number => {
  const reason = tagOf(reasonOf(error))
  if (reason === "AlreadyRunning") return ExitStatus.codes.UNAVAILABLE
  if (reason === "UnknownAccount") return ExitStatus.codes.NOUSER
  return statuses[tagOf(error) ?? ""] ?? ExitStatus.codes.SOFTWARE
}

/** Any error as one of these. */
export const from = (error: { readonly message: string }): DaemonError =>
  error instanceof DaemonError
    ? error
    : new DaemonError({ detail: error.message, status: statusOf(error), cause: error })
