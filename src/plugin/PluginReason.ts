/** What can be wrong with a plugin: the tagged reasons of `PluginError`. */
import * as Data from "effect/Data"
import type { PluginError } from "./PluginError.ts"
import { hint, quoted, shown } from "./PluginText.ts"

// --- what is declared -----------------------------------------------------------------------------------

/** A `package.json` that speaks of Spindle, and cannot be understood, or is too large. */
export class InvalidManifest extends Data.TaggedError("InvalidManifest")<{
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return shown(this.detail)
  }
}

/** A plugin whose metadata are wrong. The others of its package are not touched. */
export class InvalidEntry extends Data.TaggedError("InvalidEntry")<{
  /** Which of its package, from 0. */
  readonly index: number
  /** Everything that is wrong with it. */
  readonly details: ReadonlyArray<string>
}> {
  override get message(): string {
    return `its metadata (spindle.plugins[${this.index}]) are wrong: ${shown(this.details.join("; "))}`
  }
}

/** A warning: metadata that say nothing, such as `requries`. */
export class UnknownField extends Data.TaggedError("UnknownField")<{
  readonly index: number
  readonly field: string
  readonly suggestion: string | undefined
}> {
  override get message(): string {
    return `${quoted(this.field)} in its metadata (spindle.plugins[${this.index}]) means nothing${hint(this.suggestion)}`
  }
}

/** A warning: a directory or file that cannot be looked at. */
export class UnreadablePlace extends Data.TaggedError("UnreadablePlace")<{
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return shown(this.detail)
  }
}

/** A warning: a nearer plugin of the same kind has its name. */
export class Shadowed extends Data.TaggedError("Shadowed")<{
  /** The package of the nearer one, and where it is. */
  readonly by: string
}> {
  override get message(): string {
    return `it is not used, as ${shown(this.by)} is nearer and has one of that name, too`
  }
}

// --- what it needs --------------------------------------------------------------------------------------

interface Chained {
  /** The plugin that was asked for, what it requires, and so on. */
  readonly chain: ReadonlyArray<string>
}

/** `it requires "b", which requires "c"`. */
const chainText = (chain: ReadonlyArray<string>): string => {
  const names = chain.slice(1).map(quoted)
  const told = names.length <= namesMax ? names : [...names.slice(0, namesMax - 2), "...", names.at(-1)]
  return `it requires ${told.join(", which requires ")}`
}

/** Of a longer chain the middle is left out. */
const namesMax = 10

/** The last of the chain is not installed. */
export class DependencyMissing extends Data.TaggedError("DependencyMissing")<
  Chained & { readonly suggestion: string | undefined }
> {
  override get message(): string {
    return `${chainText(this.chain)}, which is not installed${hint(this.suggestion)}`
  }
}

/** The last of the chain is a plugin of more than one kind: write `KIND:NAME`. */
export class DependencyAmbiguous extends Data.TaggedError("DependencyAmbiguous")<
  Chained & { readonly candidates: ReadonlyArray<string> }
> {
  override get message(): string {
    return `${chainText(this.chain)}, which may be ${this.candidates.map(quoted).join(" or ")}`
  }
}

/** The last of the chain is installed in another version. */
export class DependencyIncompatible extends Data.TaggedError("DependencyIncompatible")<
  Chained & {
    readonly range: string
    /** Otherwise it is no range of versions at all. */
    readonly isRange: boolean
    /** That of the package that has it. */
    readonly version: string | undefined
    /** The `package.json` of that package. */
    readonly path: string | undefined
  }
> {
  override get message(): string {
    const wanted = `${chainText(this.chain)} in version ${quoted(this.range)}`
    if (!this.isRange) return `${wanted}, which is no range of versions`
    const version = this.version === undefined ? "has no version" : `is ${shown(this.version)}`
    const path = this.path === undefined ? "" : ` (${shown(this.path, 1_000)})`
    return `${wanted}, and what is installed ${version}${path}`
  }
}

/** The chain ends where it came by before. */
export class DependencyCycle extends Data.TaggedError("DependencyCycle")<Chained> {
  override get message(): string {
    return `${chainText(this.chain)}: a cycle`
  }
}

/** The last of the chain is installed, and could not be loaded. */
export class DependencyFailed extends Data.TaggedError("DependencyFailed")<
  Chained & { readonly cause: PluginError }
> {
  override get message(): string {
    return `${chainText(this.chain)}, which cannot be used: ${this.cause.reason.message}`
  }
}

/** A warning: `after` that contradicts what is required, or other `after`. It is as if it were not there. */
export class OrderIgnored extends Data.TaggedError("OrderIgnored")<{
  /** Each one waits for the next, and the last one is the first. */
  readonly chain: ReadonlyArray<string>
}> {
  override get message(): string {
    const [, first = "", ...others] = this.chain
    const rest = others.map((name) => `, which comes after ${quoted(name)}`).join("")
    return `it cannot come after ${quoted(first)}${rest}`
  }
}

// --- its code -------------------------------------------------------------------------------------------

/** The module that it names is not there. */
export class ModuleMissing extends Data.TaggedError("ModuleMissing")<{ readonly module: string }> {
  override get message(): string {
    return `its module ${quoted(this.module)} is not there`
  }
}

/** A link leads its module out of its package. */
export class OutsidePackage extends Data.TaggedError("OutsidePackage")<{
  readonly module: string
  /** Where it is. */
  readonly path: string
}> {
  override get message(): string {
    return `its module ${quoted(this.module)} is outside of its package: ${shown(this.path)}`
  }
}

/** Its module, or one that it imports, cannot be read, is no JavaScript, or threw. */
export class ImportFailed extends Data.TaggedError("ImportFailed")<{
  readonly module: string
  readonly detail: string
  readonly cause: unknown
}> {
  override get message(): string {
    return `its module ${quoted(this.module)} cannot be loaded: ${shown(this.detail)}`
  }
}

export class ExportMissing extends Data.TaggedError("ExportMissing")<{
  readonly module: string
  readonly export: string
  readonly suggestion: string | undefined
}> {
  override get message(): string {
    return `its module ${quoted(this.module)} exports no ${quoted(this.export)}${hint(this.suggestion)}`
  }
}

/** What it exports is not what its kind asks for. */
export class InvalidValue extends Data.TaggedError("InvalidValue")<{
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return `it is none: ${shown(this.detail)}`
  }
}

/** Its layer failed. */
export class InitializationFailed extends Data.TaggedError("InitializationFailed")<{
  readonly detail: string
  /** The `Cause`. */
  readonly cause: unknown
}> {
  override get message(): string {
    return `it could not be initialized: ${shown(this.detail)}`
  }
}

// --- the registry ---------------------------------------------------------------------------------------

/** Nothing of that kind has this name. */
export class UnknownName extends Data.TaggedError("UnknownName")<{
  readonly suggestion: string | undefined
  /** The names of that kind. */
  readonly known: ReadonlyArray<string>
}> {
  override get message(): string {
    const known = this.known.length === 0 ? "; there is none of that kind" : ""
    return `there is no such plugin${hint(this.suggestion)}${known}`
  }
}

/** The scope of the registry has ended. */
export class Closed extends Data.TaggedError("Closed")<{}> {
  override get message(): string {
    return "the registry of plugins is closed"
  }
}

export type PluginReason =
  | InvalidManifest
  | InvalidEntry
  | UnknownField
  | UnreadablePlace
  | Shadowed
  | DependencyMissing
  | DependencyAmbiguous
  | DependencyIncompatible
  | DependencyCycle
  | DependencyFailed
  | OrderIgnored
  | ModuleMissing
  | OutsidePackage
  | ImportFailed
  | ExportMissing
  | InvalidValue
  | InitializationFailed
  | UnknownName
  | Closed
