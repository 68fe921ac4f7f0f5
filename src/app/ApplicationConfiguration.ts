/** The configuration of a running application: loaded when it starts, again when it is reloaded, and followed by services. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { Configured, Sources } from "./Configuration.ts"
import type { ConfigurationError } from "./ConfigurationError.ts"
import type { Live, Shape } from "./ConfigurationShape.ts"

export interface ApplicationConfiguration {
  readonly load: Effect.Effect<unknown, ConfigurationError>
  readonly reload: Effect.Effect<
    { readonly changes: ReadonlyArray<string>; readonly warnings: ReadonlyArray<string> },
    ConfigurationError
  >
  readonly live: Live<unknown>
}

/** Where somebody has given something, it is looked at even if the application asks for nothing: it may be a mistake. */
const isGiven = ({ environmentFiles, file, flags }: Sources): boolean =>
  file !== undefined || (flags ?? []).length > 0 || (environmentFiles ?? []).length > 0

const nothing: Shape = {}

export const make = Effect.fnUntraced(function* (
  config: Shape | undefined,
  sources: Sources
): Effect.fn.Return<ApplicationConfiguration> {
  const ref = yield* SubscriptionRef.make<Configured<unknown> | undefined>(undefined)
  const values = Effect.map(SubscriptionRef.get(ref), (configured) => configured?.value)
  const live: Live<unknown> = {
    get: values,
    changes: Stream.map(SubscriptionRef.changes(ref), (configured) => configured?.value)
  }
  if (config === undefined && !isGiven(sources)) {
    return { live, load: values, reload: Effect.succeed({ changes: [], warnings: [] }) }
  }
  const shape = config ?? nothing
  // Most of what it takes to load it is needed for nothing else.
  const module = Effect.promise(() => import("./Configuration.ts"))
  const load = Effect.gen(function* () {
    const Configuration = yield* module
    const configured = yield* Configuration.load(shape, sources)
    yield* SubscriptionRef.set(ref, configured)
    for (const warning of configured.warnings) yield* Effect.logWarning(`configuration: ${warning}`)
    return configured.value
  })
  const reload = Effect.gen(function* () {
    const Configuration = yield* module
    const previous = yield* SubscriptionRef.get(ref)
    if (previous === undefined) return { changes: [], warnings: [] }
    const { changes, configured } = yield* Configuration.reload(shape, sources, previous as Configured<never>)
    yield* SubscriptionRef.set(ref, configured)
    return { changes: changes.map(Configuration.changeText), warnings: configured.warnings }
  })
  return { live, load, reload }
})
