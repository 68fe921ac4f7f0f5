/**
 * From metadata to values: code is imported when a plugin is used, after what it requires; its layer is built once, and released
 * when the scope ends, dependents before what they require.
 *
 * What succeeded is kept. What failed is tried again when it is asked for again (though Node keeps a module that threw). Whoever
 * asks may be interrupted; the plugin goes on for the others.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { type Recipe, recipeOf } from "./PluginDefinition.ts"
import { labels, type PluginDependencies } from "./PluginDependencies.ts"
import type { PluginEntry } from "./PluginEntry.ts"
import { ofEntry, type PluginError } from "./PluginError.ts"
import { exportOf } from "./PluginModule.ts"
import * as Reason from "./PluginReason.ts"
import type { PluginFiles } from "./PluginSource.ts"
import { messageOf } from "./PluginText.ts"

/** A plugin in use. */
export interface Loaded {
  /** Not yet checked by its kind. */
  readonly value: unknown
  /** What its layer gives, and those of the plugins that it requires. */
  readonly services: Context.Context<never>
}

type Loading = Effect.Effect<Loaded, PluginError>

/** The plugins that are being initialized around here: their layers may ask for other plugins, but not for themselves. */
const Initializing = Context.Reference<ReadonlyArray<PluginEntry>>(
  "spindle/plugin/PluginLoader/Initializing",
  {
    defaultValue: () => []
  }
)

export class PluginLoader {
  private readonly files: PluginFiles
  private readonly dependencies: PluginDependencies
  private readonly environment: Context.Context<never>
  /** Where layers are built, in the order in which they were begun. */
  private readonly layers: Scope.Scope
  /** Where plugins are being loaded; ends before `layers` does. */
  private readonly fibers: Scope.Scope
  private readonly memoMap = Layer.makeMemoMapUnsafe()
  private readonly begun = new Map<PluginEntry, Deferred.Deferred<Loaded, PluginError>>()
  private closed = false

  private constructor(
    files: PluginFiles,
    dependencies: PluginDependencies,
    environment: Context.Context<never>,
    layers: Scope.Scope,
    fibers: Scope.Scope
  ) {
    this.files = files
    this.dependencies = dependencies
    this.environment = environment
    this.layers = layers
    this.fibers = fibers
  }

  /** `environment`: what layers of plugins get besides the services of those that they require. */
  static make(
    files: PluginFiles,
    dependencies: PluginDependencies,
    environment: Context.Context<never>,
    scope: Scope.Scope
  ): Effect.Effect<PluginLoader> {
    return Effect.gen(function* () {
      const layers = yield* Scope.fork(scope)
      const fibers = yield* Scope.fork(scope)
      const loader = new PluginLoader(files, dependencies, environment, layers, fibers)
      yield* Scope.addFinalizer(
        scope,
        Effect.sync(() => {
          loader.closed = true
        })
      )
      return loader
    })
  }

  load(entry: PluginEntry): Loading {
    return Effect.flatMap(Initializing, (around) =>
      around.includes(entry) ? Effect.fail(cycle([...around, entry])) : this.join(entry, around)
    )
  }

  /** Begins to load it, if nobody has, and waits. */
  private join(entry: PluginEntry, around: ReadonlyArray<PluginEntry>): Loading {
    if (this.closed) return Effect.fail(ofEntry(entry, new Reason.Closed()))
    const known = this.begun.get(entry)
    if (known !== undefined) return Deferred.await(known)
    return Effect.uninterruptibleMask((restore) => {
      const outcome = Deferred.makeUnsafe<Loaded, PluginError>()
      this.begun.set(entry, outcome)
      return this.initialize(entry, around).pipe(
        Effect.onExit((exit) => Effect.sync(() => this.settle(entry, outcome, exit))),
        // Not the services, spans and annotations of whoever happens to be the first to ask.
        Effect.updateContext<never, never>(() =>
          Context.add(this.environment, Initializing, [...around, entry])
        ),
        Effect.forkIn(this.fibers, { startImmediately: true }),
        Effect.andThen(restore(Deferred.await(outcome)))
      )
    })
  }

  private settle(
    entry: PluginEntry,
    outcome: Deferred.Deferred<Loaded, PluginError>,
    exit: Exit.Exit<Loaded, PluginError>
  ): void {
    if (Exit.isFailure(exit)) this.begun.delete(entry)
    const isOver = Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
    Deferred.doneUnsafe(outcome, isOver ? Effect.fail(ofEntry(entry, new Reason.Closed())) : exit)
  }

  private initialize(entry: PluginEntry, around: ReadonlyArray<PluginEntry>): Loading {
    return Effect.gen({ self: this }, function* () {
      const requirements = yield* Effect.fromResult(this.dependencies.requirements(entry))
      let services = Context.empty() as Context.Context<never>
      for (const required of requirements) {
        const loaded = yield* Effect.mapError(this.load(required), (cause) =>
          dependencyFailed(entry, required, cause)
        )
        services = Context.merge(services, loaded.services)
      }
      for (const earlier of this.dependencies.predecessors(entry)) {
        const other = around.includes(earlier) ? undefined : this.begun.get(earlier)
        if (other !== undefined) yield* Effect.exit(Deferred.await(other))
      }
      const recipe = recipeOf(yield* exportOf(this.files, entry))
      return yield* this.build(entry, recipe, services)
    })
  }

  // --- layers -------------------------------------------------------------------------------------------

  private build(entry: PluginEntry, recipe: Recipe, services: Context.Context<never>): Loading {
    const { layer } = recipe
    if (layer === undefined) return Effect.succeed({ value: recipe.value, services })
    return Effect.gen({ self: this }, function* () {
      const scope = yield* Scope.fork(this.layers)
      // What it gives, and what it asks for, only its package knows; a service that is not there is its failure.
      const building = Layer.buildWithMemoMap(layer, this.memoMap, scope) as Effect.Effect<
        Context.Context<never>,
        unknown
      >
      const built = yield* building.pipe(
        Effect.updateContext((context: Context.Context<never>) => Context.merge(context, services)),
        Effect.map((own) => ({
          value:
            recipe.service === undefined ? recipe.value : Context.getUnsafe(own, recipe.service as never),
          services: Context.merge(services, own)
        })),
        Effect.onExit((exit) => (Exit.isFailure(exit) ? Scope.close(scope, exit) : Effect.void)),
        Effect.catchCause((cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.failCause(cause as Cause.Cause<never>)
            : Effect.fail(ofEntry(entry, new Reason.InitializationFailed({ detail: told(cause), cause })))
        )
      )
      return built
    })
  }
}

/** What went wrong first, of a cause. */
const told = (cause: Cause.Cause<unknown>): string => messageOf(Cause.squash(cause))

const cycle = (chain: ReadonlyArray<PluginEntry>): PluginError => {
  const again = chain.at(-1)!
  const round = chain.slice(chain.indexOf(again))
  return ofEntry(again, new Reason.DependencyCycle({ chain: labels(round) }))
}

/** The failure of something that is required, told by who requires it. */
const dependencyFailed = (entry: PluginEntry, required: PluginEntry, cause: PluginError): PluginError => {
  const { reason } = cause
  if (reason._tag === "Closed") return ofEntry(entry, reason)
  const [, name = ""] = labels([entry, required])
  return reason._tag === "DependencyFailed"
    ? ofEntry(
        entry,
        new Reason.DependencyFailed({
          chain: [entry.name, name, ...reason.chain.slice(1)],
          cause: reason.cause
        })
      )
    : ofEntry(entry, new Reason.DependencyFailed({ chain: [entry.name, name], cause }))
}
