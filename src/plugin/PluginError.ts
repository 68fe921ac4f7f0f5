/** A plugin that cannot be used, or something about plugins that one should know: with its package, and where that is. */
import * as Data from "effect/Data"
import type { PluginEntry, PluginPackage } from "./PluginEntry.ts"
import type { PluginReason } from "./PluginReason.ts"
import { quoted, shown } from "./PluginText.ts"

/** Of what is declared only these are no errors: everything works, though perhaps not as somebody meant it. */
const warnings: ReadonlySet<PluginReason["_tag"]> = new Set([
  "UnknownField",
  "UnreadablePlace",
  "Shadowed",
  "OrderIgnored"
])

export class PluginError extends Data.TaggedError("PluginError")<{
  /** `undefined` where it is about a package or a directory, or where the metadata do not tell. */
  readonly kind: string | undefined
  readonly name: string | undefined
  /** The name of the package. */
  readonly package: string | undefined
  /** The `package.json`, or the directory. */
  readonly path: string | undefined
  readonly reason: PluginReason
}> {
  /** One line for a terminal: `service "echo" of greetings (/app/node_modules/greetings/package.json): ...`. */
  override get message(): string {
    const path = this.path === undefined ? "" : shown(this.path, 1_000)
    const owner =
      this.package === undefined ? path : `${quoted(this.package)}${path === "" ? "" : ` (${path})`}`
    const plugin =
      this.name === undefined
        ? ""
        : `${this.kind === undefined ? "plugin" : shown(this.kind, 100)} ${quoted(this.name)}`
    const subject = plugin === "" ? owner : owner === "" ? plugin : `${plugin} of ${owner}`
    return `${subject}: ${this.reason.message}`
  }
  override get cause(): unknown {
    return "cause" in this.reason ? this.reason.cause : undefined
  }
  /** `warning`: nothing is lost but what the reason says. */
  get severity(): "error" | "warning" {
    return warnings.has(this.reason._tag) ? "warning" : "error"
  }
}

export const ofEntry = (entry: PluginEntry, reason: PluginReason): PluginError =>
  new PluginError({
    kind: entry.kind,
    name: entry.name,
    package: entry.package.name,
    path: entry.package.path,
    reason
  })

export const ofPackage = (owner: PluginPackage, reason: PluginReason): PluginError =>
  new PluginError({ kind: undefined, name: undefined, package: owner.name, path: owner.path, reason })

export const ofPath = (path: string, reason: PluginReason): PluginError =>
  new PluginError({ kind: undefined, name: undefined, package: undefined, path, reason })
