/** Commands that belong together: what a server offers, and a client is made from. */
import type * as Effect from "effect/Effect"
import type * as AmpCommand from "./AmpCommand.ts"
import type { AmpError } from "./AmpError.ts"

export interface Group<out Commands extends ByName> {
  readonly commands: Commands
}

export interface ByName {
  readonly [name: string]: AmpCommand.Any
}

export interface Any extends Group<ByName> {}

type Named<C extends ReadonlyArray<AmpCommand.Any>> = {
  readonly [K in C[number] as K["name"]]: K
}

/** A group. Throws a `RangeError` for two commands of one name. */
export const make = <const C extends ReadonlyArray<AmpCommand.Any>>(...commands: C): Group<Named<C>> => {
  const byName: Record<string, AmpCommand.Any> = Object.create(null) as Record<string, AmpCommand.Any>
  for (const command of commands) {
    if (byName[command.name] !== undefined)
      throw new RangeError(`two commands have the name "${command.name}"`)
    byName[command.name] = command
  }
  return { commands: byName as Named<C> }
}

/** What responds to a command. An `AmpError`, of a call that it makes itself, is unknown to whoever asked. */
export type Handler<C extends AmpCommand.Any, R> = (
  args: AmpCommand.ArgumentsOf<C>
) => Effect.Effect<AmpCommand.Given<C, R>, AmpCommand.ErrorsOf<C> | AmpError, R>

/** What responds to all commands of a group. */
export type Handlers<G extends Any, R> = {
  readonly [Name in keyof G["commands"]]: Handler<G["commands"][Name], R>
}

/** What handlers require, and the protocols that they give. */
export type RequirementsOf<H> = {
  readonly [Name in keyof H]: H[Name] extends (...args: never) => Effect.Effect<infer A, infer _E, infer R>
    ? R | (A extends (...args: never) => Effect.Effect<infer _A, infer _E2, infer R2> ? R2 : never)
    : never
}[keyof H]
