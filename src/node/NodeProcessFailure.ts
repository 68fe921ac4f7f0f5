/** Why there is no process: what the system said, and what it meant. */
import * as fs from "node:fs"
import * as path from "node:path"
import * as Errno from "../reactor/Errno.ts"
import type { Command, Program } from "../reactor/ProcessCommand.ts"
import * as Reasons from "../reactor/ProcessError.ts"
import { environmentOf } from "./NodeProcessOptions.ts"

/** What libuv looks in when the child's environment has no PATH. */
const defaultPath = "/usr/local/bin:/bin:/usr/bin"

/** The reason of what `child_process.spawn` threw or emitted. */
export const spawnReason = (command: Command, cause: unknown): Reasons.SpawnReason => {
  const errno = Errno.codeOf(cause)
  const told = { errno, cause: withoutArguments(cause) }
  const detail = cause instanceof Error ? cause.message : String(cause)
  switch (errno) {
    // The system does not tell which of the two it did not find, or may not use.
    case "ENOENT":
    case "ENOTDIR":
    case "EACCES":
    case "ENAMETOOLONG":
    case "ELOOP":
      return (
        directoryReason(command, told) ??
        programReason(command, told) ??
        new Reasons.NotExecutable({ detail: "the system does not run it", ...told })
      )
    case "ENOEXEC":
      return new Reasons.NotExecutable({ detail: "the file is no program", ...told })
    case "EPERM":
      return new Reasons.NotPermitted({ detail: identityDetail(command), ...told })
    case "ERR_ACCESS_DENIED":
      return new Reasons.NotPermitted({ detail: "this process may not start others", ...told })
    case "E2BIG":
      return new Reasons.ArgumentsTooLong({ detail: "arguments and environment are too long", ...told })
    case "EBADF":
      return new Reasons.BadDescriptor({ detail: "a descriptor to inherit is not open", ...told })
    case "EAGAIN":
      return new Reasons.OutOfResources({ detail: "there are too many processes", ...told })
    case "EMFILE":
    case "ENFILE":
      return new Reasons.OutOfResources({ detail: "there are too many open files", ...told })
    case "ENOMEM":
      return new Reasons.OutOfResources({ detail: "there is not enough memory", ...told })
    case "ERR_INVALID_ARG_VALUE":
    case "ERR_INVALID_ARG_TYPE":
    case "ERR_OUT_OF_RANGE":
    case "EINVAL":
      return new Reasons.InvalidCommand({ detail, ...told })
    case "ENOTSUP":
    case "ENOSYS":
      return new Reasons.Unsupported({ detail: "this system cannot do that", ...told })
    default:
      return new Reasons.UnknownReason({ detail, ...told })
  }
}

interface Told {
  readonly errno: string
  readonly cause?: unknown
}

/** Node keeps the arguments in its error; they may be secrets. */
const withoutArguments = (cause: unknown): unknown => {
  if (cause instanceof Error && "spawnargs" in cause) delete cause.spawnargs
  return cause
}

const identityDetail = ({ gid, uid }: Program): string =>
  uid === undefined && gid === undefined
    ? "this process may not"
    : `this process may not become user ${uid ?? "as it is"}, group ${gid ?? "as it is"}`

/** What is wrong with `cwd`. */
export const directoryReason = ({ cwd }: Program, told?: Told): Reasons.BadDirectory | undefined => {
  if (cwd === undefined) return undefined
  const bad = (what: string, errno: string) =>
    new Reasons.BadDirectory({ detail: `the directory ${cwd} ${what}`, ...told, errno })
  try {
    if (!fs.statSync(cwd).isDirectory()) return bad("is none", "ENOTDIR")
    fs.accessSync(cwd, fs.constants.X_OK)
    return undefined
  } catch (error) {
    const errno = Errno.codeOf(error)
    if (errno === "EACCES") return bad("may not be entered", errno)
    return bad(errno === "ENOENT" ? "does not exist" : "is none", errno)
  }
}

/** What is wrong with the program; undefined if it seems to be there, and to be one. */
export const programReason = (
  command: Program,
  told?: Told
): Reasons.ProgramNotFound | Reasons.NotExecutable | undefined => {
  const { cwd = ".", program } = command
  const fields = { errno: "ENOENT", ...told }
  const searched = !program.includes("/")
  const folders = searched
    ? (environmentOf(command)["PATH"] ?? defaultPath).split(path.delimiter)
    : [program.startsWith("/") ? "" : cwd]
  let denied = false
  for (const folder of folders) {
    const file = searched ? path.resolve(cwd, folder, program) : path.resolve(folder, program)
    try {
      if (fs.statSync(file).isDirectory()) {
        if (searched) continue
        return new Reasons.NotExecutable({ detail: "it is a directory", ...fields, errno: "EACCES" })
      }
      fs.accessSync(file, fs.constants.X_OK)
    } catch (error) {
      if (Errno.codeOf(error) === "EACCES") denied = true
      continue
    }
    return told?.errno === "ENOENT"
      ? new Reasons.NotExecutable({ detail: "what it needs to be run does not exist", ...fields })
      : undefined
  }
  if (denied) {
    return new Reasons.NotExecutable({ detail: "this process may not run it", ...fields, errno: "EACCES" })
  }
  const where = searched ? "in no directory of PATH" : "no such file"
  return new Reasons.ProgramNotFound({ detail: `there is no such program (${where})`, ...fields })
}
