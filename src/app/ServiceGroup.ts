/**
 * Services as one: they start in order and stop in reverse, and one that fails is started again by the group's strategy.
 * Twisted: `MultiService`; Erlang: a supervisor.
 *
 * ```ts
 * const web = ServiceGroup.make("web", [store, api, admin], {
 *   strategy: "rest-for-one",
 *   intensity: { restarts: 5, period: "1 minute" }
 * })
 * ```
 */
import * as Service from "./Service.ts"
import type { Group, Intensity, Strategy } from "./ServiceBody.ts"

export type { Intensity, Strategy } from "./ServiceBody.ts"

export interface Options extends Omit<Service.Common, "name"> {
  /** Default `one-for-one`. */
  readonly strategy?: Strategy | undefined
  /** Default 3 restarts in 5 seconds. */
  readonly intensity?: Partial<Intensity> | undefined
}

type ProvidedBy<S> = S extends Service.Service<infer P, infer _E, infer _R> ? P : never
type ErrorOf<S> = S extends Service.Service<infer _P, infer E, infer _R> ? E : never
type RequiredBy<S> = S extends Service.Service<infer _P, infer _E, infer R> ? R : never

/** What a list of services provides, all together. */
export type Provides<Services extends ReadonlyArray<unknown>> = ProvidedBy<Services[number]>

/** How one of them may fail. */
export type Error<Services extends ReadonlyArray<unknown>> = ErrorOf<Services[number]>

/**
 * What a list of services still requires: each what it requires, less what earlier ones provide. What the platform gives is
 * required in any case: the first phase runs before anybody provides anything. Of a list whose order the type does not tell (an
 * array), all that each requires.
 */
export type Owed<
  Services extends ReadonlyArray<unknown>,
  Provided = never,
  Result = never
> = Services extends readonly [infer First, ...infer Rest]
  ? Owed<
      Rest,
      Provided | ProvidedBy<First>,
      Result | Exclude<RequiredBy<First>, Exclude<Provided, Service.Platform>>
    >
  : Services extends readonly []
    ? Result
    : Result | RequiredBy<Services[number]>

/**
 * A group. Its order is the one given, but for services that name later ones in `after`: these move behind them. The order is
 * checked when a tree is made of it (names that are unknown, invalid or not unique; cycles).
 *
 * A group fails when one of its services failed for good or too often (`intensity`); then it is restarted as any service is, as
 * its own `restart` and its parent's strategy say.
 */
export const make = <const Services extends ReadonlyArray<Service.Any>>(
  name: string,
  services: Services,
  options: Options = {}
): Service.Service<Provides<Services>, Error<Services>, Owed<Services>> => {
  const group: Group = {
    _tag: "Group",
    services: Object.freeze([...services]),
    strategy: options.strategy ?? "one-for-one",
    intensity: {
      restarts: options.intensity?.restarts ?? 3,
      period: options.intensity?.period ?? "5 seconds"
    }
  }
  return Service.fromBody(
    { ...options, name },
    group,
    services.some((service) => service.provides)
  )
}
