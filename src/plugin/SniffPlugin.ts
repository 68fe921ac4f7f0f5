/**
 * Plugins that are protocols for a port that several share: how to know one by its first bytes, and what speaks it. They are
 * branches of `Sniff.over`.
 *
 * ```ts check
 * import * as Effect from "effect/Effect"
 * import { Plugin, SniffPlugin } from "spindle/plugin"
 * import { Sniff } from "spindle/protocol"
 *
 * const shared = Effect.map(Plugin.loadAll(SniffPlugin.kind), ({ loaded }) => Sniff.over(loaded.map(({ value }) => value)))
 * ```
 */
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type * as Sniff from "../protocol/Sniff.ts"
import { isRecord } from "./PluginEntry.ts"
import * as PluginKind from "./PluginKind.ts"

/** Complete but for the scope of the connection; what it needs besides is the business of its plugin's layer. */
export type Branch = Sniff.Branch<unknown, Scope.Scope>

const verdicts = new Set(["Match", "NoMatch", "NeedMore"])

const validate = (value: unknown): Result.Result<Branch, string> => {
  if (!isRecord(value) || typeof value["matches"] !== "function" || typeof value["protocol"] !== "function") {
    return Result.fail("it is no branch of a Sniff: { matches, protocol }")
  }
  const branch = value as unknown as Branch
  // As `Sniff.over` will ask it first.
  const verdict: unknown = branch.matches(new Uint8Array(0))
  return isRecord(verdict) && verdicts.has(String(verdict["_tag"]))
    ? Result.succeed(branch)
    : Result.fail("its matcher gives no verdict")
}

export const kind: PluginKind.PluginKind<Branch> = PluginKind.make("protocol", {
  description: "a protocol that is known by its first bytes",
  validate
})
