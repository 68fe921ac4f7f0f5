import type { PlatformError } from "effect/PlatformError"

/** Why a file or a directory cannot be read, for people. `misfit`: what it is, or is not, where it is of the wrong kind. */
export const fileTrouble = ({ reason }: PlatformError, misfit: string): string => {
  switch (reason._tag) {
    case "NotFound":
      return "it does not exist"
    case "PermissionDenied":
      return "this process may not"
    case "BadResource":
      return misfit
    default:
      return reason.description ?? reason._tag
  }
}
