/**
 * What is installed, known without importing it. A registry looks once, when it is first asked; a new one looks anew.
 *
 * ```ts check
 * const plugins = Registry.layer({ directory: process.cwd(), path: process.env["SPINDLE_PLUGIN_PATH"] }).pipe(
 *   Layer.provide(PluginSource.layer(NodePluginFiles.files))
 * )
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { type Loaded, type Plugin, PluginCatalogue, type PluginInfo } from "./PluginCatalogue.ts"
import { PluginDependencies } from "./PluginDependencies.ts"
import * as Entry from "./PluginEntry.ts"
import type { PluginError } from "./PluginError.ts"
import type { PluginKind } from "./PluginKind.ts"
import { PluginLoader } from "./PluginLoader.ts"
import { search } from "./PluginSearch.ts"
import { type PluginFiles, PluginSource } from "./PluginSource.ts"
import { versions } from "./PluginVersions.ts"

export class Registry extends Context.Service<
  Registry,
  {
    /** The plugins of a kind, from near to far, those that are shadowed too. Imports nothing. */
    readonly all: <A>(kind: PluginKind<A>) => Effect.Effect<ReadonlyArray<Plugin<A>>>
    /** The nearest plugin of that kind and name; fails as `UnknownName`, or with what is wrong with its metadata. Imports nothing. */
    readonly get: <A>(kind: PluginKind<A>, name: string) => Effect.Effect<Plugin<A>, PluginError>
    /** Loads the plugins of a kind, but those that are shadowed, one after the other, everything after what it requires. */
    readonly loadAll: <A>(kind: PluginKind<A>) => Effect.Effect<Loaded<A>>
    /** The plugins of all kinds, from near to far. Imports nothing. */
    readonly list: Effect.Effect<ReadonlyArray<PluginInfo>>
    /** All that is wrong with metadata and requirements, and what one should know of them. Imports nothing. */
    readonly problems: Effect.Effect<ReadonlyArray<PluginError>>
  }
>()("spindle/plugin/Registry") {}

export interface Options {
  /** Where to begin: the program's directory, or its project's. */
  readonly directory: string
  /**
   * Packages and directories of packages besides, nearer than what is installed. A text is a list as the system writes it in
   * variables (`/a:/b`). Default: none.
   */
  readonly path?: string | ReadonlyArray<string> | undefined
  /** What the program brings itself, made with `builtIn`; farther than anything else. Default: nothing. */
  readonly builtIns?: ReadonlyArray<BuiltIns> | undefined
}

// --- what is built in -----------------------------------------------------------------------------------

/** As in a package's metadata, with a function instead of a module. */
export interface BuiltIn {
  readonly name: string
  readonly kind: string
  readonly description?: string | undefined
  /** `() => import("./EchoPlugin.ts")`: called when the plugin is used. */
  readonly load: () => PromiseLike<Readonly<Record<string, unknown>>>
  /** Default `default`. */
  readonly export?: string | undefined
  readonly after?: ReadonlyArray<string> | undefined
  readonly requires?: Readonly<Record<string, string>> | undefined
}

/** The plugins that a program brings. */
export interface BuiltIns {
  readonly entries: ReadonlyArray<Entry.PluginEntry>
}

/** Plugins that need not be installed. Throws a `TypeError` where a package's metadata would be refused. */
export const builtIn = (
  owner: { readonly name: string; readonly version: string },
  plugins: ReadonlyArray<BuiltIn>
): BuiltIns => {
  const { name, version } = owner
  const described: Entry.PluginPackage = {
    name,
    version,
    origin: "built-in",
    directory: undefined,
    path: undefined
  }
  return {
    entries: plugins.map(({ load, ...metadata }, index) => {
      const given = Object.entries(metadata).filter(([, value]) => value !== undefined)
      const read = Entry.read(Object.fromEntries(given), index, described, { _tag: "BuiltIn", load })
      if (Result.isSuccess(read)) return read.success.entry
      throw new TypeError(`plugin ${index} of ${name}: ${read.failure.details.join("; ")}`)
    })
  }
}

// --- the service ----------------------------------------------------------------------------------------

/** What belongs to the place where the registry is made, and not to the plugins. */
const omitOwn = Context.omit(
  Scope.Scope,
  Layer.CurrentMemoMap,
  References.CurrentLogAnnotations,
  References.CurrentLogSpans,
  Tracer.ParentSpan
)

/**
 * A registry. What is provided to it besides `PluginSource` is the environment of all plugins: their layers can use it.
 */
export const layer = (options: Options): Layer.Layer<Registry, never, PluginSource> =>
  Layer.effect(Registry, make(options))

export const make = (
  options: Options
): Effect.Effect<Registry["Service"], never, PluginSource | Scope.Scope> =>
  Effect.gen(function* () {
    const files = yield* PluginSource
    const scope = yield* Effect.scope
    const environment = omitOwn(yield* Effect.context<never>()) as Context.Context<never>
    const catalogue = yield* Effect.cached(Effect.suspend(() => open(files, options, environment, scope)))
    return Registry.of({
      all: (kind) => Effect.map(catalogue, (known) => known.of(kind)),
      get: (kind, name) => Effect.flatMap(catalogue, (known) => known.get(kind, name)),
      loadAll: (kind) => Effect.flatMap(catalogue, (known) => known.loadAll(kind)),
      list: Effect.map(catalogue, (known) => known.infos),
      problems: Effect.map(catalogue, (known) => known.problems)
    })
  })

const open = Effect.fn("Registry.search")(function* (
  files: PluginFiles,
  { builtIns = [], directory, path = [] }: Options,
  environment: Context.Context<never>,
  scope: Scope.Scope
) {
  const paths = typeof path === "string" ? files.split(path) : path
  const found = yield* search(files, { directory, paths })
  const entries = [...found.entries, ...builtIns.flatMap(({ entries }) => entries)]
  const first = new Map<string, Entry.PluginEntry>()
  for (const entry of entries) if (!first.has(Entry.keyOf(entry))) first.set(Entry.keyOf(entry), entry)
  const dependencies = new PluginDependencies([...first.values()], versions)
  const loader = yield* PluginLoader.make(files, dependencies, environment, scope)
  return new PluginCatalogue(entries, first, found.problems, dependencies, loader)
})
