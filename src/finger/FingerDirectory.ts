/** Who can be asked about: what the application supplies. The ready default keeps people in memory. */
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** A session of somebody that goes on. */
export interface Login {
  /** As `pts/0`. */
  readonly terminal: string
  readonly since: DateTime.DateTime
  /** The host it comes from. */
  readonly from?: string | undefined
  /** How long nothing was typed there. */
  readonly idle?: Duration.Input | undefined
}

/** What is told of somebody. Nothing of it is secret: whoever reaches the server can ask. */
export interface Person {
  /** The name that one asks for. */
  readonly login: string
  readonly name?: string | undefined
  readonly office?: string | undefined
  readonly phone?: string | undefined
  /** Told only to those who ask for more (`/W`). */
  readonly home?: string | undefined
  readonly shell?: string | undefined
  /** Where somebody is logged in; none: nowhere. Default: nothing is said of it. */
  readonly logins?: ReadonlyArray<Login> | undefined
  /** Told of who is logged in nowhere. */
  readonly lastLogin?: DateTime.DateTime | undefined
  readonly project?: string | undefined
  /** A text of several lines, as that of `~/.plan`. */
  readonly plan?: string | undefined
}

/** Twisted: `Finger.getUser`, `getDomain`. */
export class FingerDirectory extends Context.Service<
  FingerDirectory,
  {
    /** Everybody who may be listed, in the order to be shown; asked only by servers with `listing`. */
    readonly list: Effect.Effect<ReadonlyArray<Person>>
    /** Those who are meant by a name; empty for nobody. */
    readonly find: (user: string) => Effect.Effect<ReadonlyArray<Person>>
  }
>()("spindle/finger/FingerDirectory") {}

/**
 * People in memory, found by their whole login, upper or lower case. Parts of names find nobody: guessing would
 * be too easy (RFC 1288 3.2.6).
 */
export const memory = (people: Iterable<Person>): FingerDirectory["Service"] => {
  const all = [...people]
  const byLogin = new Map<string, Array<Person>>()
  for (const person of all) {
    const key = person.login.toLowerCase()
    const same = byLogin.get(key)
    if (same === undefined) byLogin.set(key, [person])
    else same.push(person)
  }
  return {
    list: Effect.succeed(all),
    find: (user) => Effect.succeed(byLogin.get(user.toLowerCase()) ?? [])
  }
}

/** A directory of these people. Default nobody. */
export const layer = (people: Iterable<Person> = []): Layer.Layer<FingerDirectory> =>
  Layer.succeed(FingerDirectory, memory(people))
