/** Versions and their ranges, as npm understands them. */
import * as Result from "effect/Result"
import * as SemVer from "effect/SemVer"
import * as SemVerRange from "effect/SemVerRange"
import type { Versions } from "./PluginDependencies.ts"

export const versions: Versions = {
  isRange: (range) => Result.isSuccess(SemVerRange.parse(range)),
  satisfies: (version, range) => {
    const wanted = SemVerRange.parse(range)
    const found = SemVer.parse(version)
    return (
      Result.isSuccess(wanted) &&
      Result.isSuccess(found) &&
      SemVerRange.matches(wanted.success, found.success)
    )
  }
}
