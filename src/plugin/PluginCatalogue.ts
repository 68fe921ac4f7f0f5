/** What is installed, once it was looked for: who is meant by a name, and what is wrong with whom. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { nearest } from "../result/NearestWord.ts"
import type { PluginDependencies } from "./PluginDependencies.ts"
import * as Entry from "./PluginEntry.ts"
import { ofEntry, PluginError } from "./PluginError.ts"
import type { PluginKind } from "./PluginKind.ts"
import type { PluginLoader } from "./PluginLoader.ts"
import { InvalidValue, Shadowed, UnknownName } from "./PluginReason.ts"
import { messageOf } from "./PluginText.ts"

/** What is known of a plugin without a look at its code. */
export interface PluginInfo extends Omit<Entry.PluginEntry, "code" | "requires"> {
  /** What must be there and initialized before it: `NAME` or `KIND:NAME`, and the versions that will do. */
  readonly requires: Readonly<Record<string, string>>
  /** The path in its package; `undefined` for what is built in. */
  readonly module: string | undefined
  /** The nearer plugin of the same kind and name, which is used instead. */
  readonly shadowedBy: Entry.PluginPackage | undefined
}

/** A plugin of a kind. */
export interface Plugin<out A> extends PluginInfo {
  /**
   * Imports its code, after that of what it requires, and initializes it, the first time; then gives the same value again. It may
   * be interrupted. Twisted imports all plugins when it lists them.
   */
  readonly load: Effect.Effect<A, PluginError>
}

/** The plugins of a kind, as far as they can be used. */
export interface Loaded<out A> {
  /** In the order in which they were initialized. */
  readonly loaded: ReadonlyArray<{ readonly plugin: Plugin<A>; readonly value: A }>
  readonly failed: ReadonlyArray<PluginError>
}

export class PluginCatalogue {
  readonly infos: ReadonlyArray<PluginInfo>
  private readonly entries: ReadonlyArray<Entry.PluginEntry>
  private readonly first: ReadonlyMap<string, Entry.PluginEntry>
  private readonly found: ReadonlyArray<PluginError>
  private readonly dependencies: PluginDependencies
  private readonly loader: PluginLoader
  private readonly warned = new Set<string>()

  constructor(
    entries: ReadonlyArray<Entry.PluginEntry>,
    first: ReadonlyMap<string, Entry.PluginEntry>,
    found: ReadonlyArray<PluginError>,
    dependencies: PluginDependencies,
    loader: PluginLoader
  ) {
    this.entries = entries
    this.first = first
    this.found = found
    this.dependencies = dependencies
    this.loader = loader
    this.infos = entries.map((entry) => this.info(entry))
  }

  get problems(): ReadonlyArray<PluginError> {
    return [...this.found, ...this.shadowed(this.entries), ...this.dependencies.problems]
  }

  of<A>(kind: PluginKind<A>): ReadonlyArray<Plugin<A>> {
    return this.entries.filter((entry) => entry.kind === kind.name).map((entry) => this.plugin(kind, entry))
  }

  get<A>(kind: PluginKind<A>, name: string): Effect.Effect<Plugin<A>, PluginError> {
    return Effect.suspend(() => {
      const entry = this.first.get(Entry.keyOf({ kind: kind.name, name }))
      if (entry === undefined) return Effect.fail(this.whyNot(kind.name, name))
      return Effect.as(this.warn(kind.name, name), this.plugin(kind, entry))
    })
  }

  loadAll<A>(kind: PluginKind<A>): Effect.Effect<Loaded<A>> {
    return Effect.gen({ self: this }, function* () {
      const loaded: Array<{ readonly plugin: Plugin<A>; readonly value: A }> = []
      const failed: Array<PluginError> = []
      for (const entry of this.dependencies.order) {
        if (entry.kind !== kind.name) continue
        yield* this.warn(kind.name, entry.name)
        const plugin = this.plugin(kind, entry)
        const result = yield* Effect.result(plugin.load)
        if (Result.isSuccess(result)) loaded.push({ plugin, value: result.success })
        else failed.push(result.failure)
      }
      return { loaded, failed }
    })
  }

  private info(entry: Entry.PluginEntry): PluginInfo {
    const { code, requires, ...rest } = entry
    const used = this.first.get(Entry.keyOf(entry))
    return {
      ...rest,
      requires: Object.fromEntries(requires),
      module: code._tag === "File" ? code.module : undefined,
      shadowedBy: used === entry ? undefined : used?.package
    }
  }

  private plugin<A>(kind: PluginKind<A>, entry: Entry.PluginEntry): Plugin<A> {
    return {
      ...this.info(entry),
      load: Effect.flatMap(this.loader.load(entry), ({ value }) =>
        Effect.fromResult(validated(kind, entry, value))
      )
    }
  }

  private shadowed(entries: ReadonlyArray<Entry.PluginEntry>): ReadonlyArray<PluginError> {
    return entries.flatMap((entry) => {
      const used = this.first.get(Entry.keyOf(entry))!
      if (used === entry) return []
      const { name, path = "built in" } = used.package
      return [ofEntry(entry, new Shadowed({ by: `"${name}" (${path})` }))]
    })
  }

  /** Once, when a plugin is used whose name others have, too. */
  private warn(kind: string, name: string): Effect.Effect<void> {
    const key = Entry.keyOf({ kind, name })
    if (this.warned.has(key)) return Effect.void
    this.warned.add(key)
    const others = this.entries.filter((entry) => Entry.keyOf(entry) === key)
    return others.length < 2
      ? Effect.void
      : Effect.forEach(this.shadowed(others), (problem) => Effect.logWarning(problem.message), {
          discard: true
        })
  }

  /** What is wrong with its metadata, if that is why it is not there. */
  private whyNot(kind: string, name: string): PluginError {
    const broken = this.found.find(
      (problem) => problem.severity === "error" && problem.kind === kind && problem.name === name
    )
    if (broken !== undefined) return broken
    const known = [...new Set(this.entries.flatMap((entry) => (entry.kind === kind ? [entry.name] : [])))]
    return new PluginError({
      kind,
      name,
      package: undefined,
      path: undefined,
      reason: new UnknownName({ suggestion: nearest(name, known), known })
    })
  }
}

/** Never throws, though a kind's own code might. */
const validated = <A>(
  kind: PluginKind<A>,
  entry: Entry.PluginEntry,
  value: unknown
): Result.Result<A, PluginError> => {
  try {
    return Result.mapError(kind.validate(value), (detail) => ofEntry(entry, new InvalidValue({ detail })))
  } catch (cause) {
    return Result.fail(ofEntry(entry, new InvalidValue({ detail: messageOf(cause), cause })))
  }
}
