/**
 * A service that can be run by name: `spindle NAME [flags]` is an application with this one service. The kind `service` of plugins.
 * Twisted: `ServiceMaker`, `IServiceMaker`.
 *
 * ```ts
 * export const maker = ServiceMaker.make({
 *   name: "chat",
 *   description: "a room for everybody",
 *   flags: { port: Flag.Int("port").pipe(Flag.withDefault(8007)) },
 *   make: ({ port }) => StreamServerService.make({ name: "chat", endpoint: Endpoint.tcp({ port }), protocol: chat })
 * })
 * ```
 *
 * Its flags stand beside those of the daemon (`spindle help run`): a name of these must not be taken.
 */
import type * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as PluginKind from "../plugin/PluginKind.ts"
import * as Service from "./Service.ts"

/** A string, so that it is the same for another copy of this package. */
export const TypeId = "~spindle/app/ServiceMaker" as const
export type TypeId = typeof TypeId

/** What it may fail with: shown as one line. */
export interface Problem {
  readonly message: string
}

/** @typeParam Flags its flags and arguments, of `effect/cli`, by the keys that `make` gets their values by */
export interface ServiceMaker<Flags extends Command.Command.Config = Command.Command.Config> extends Any {
  readonly flags: Flags
}

/** Any of them, of whatever flags. `effect/cli` checks what it gives to `make`. */
export interface Any {
  readonly [TypeId]: TypeId
  readonly name: string
  /** One line for people. */
  readonly description: string
  readonly flags: Command.Command.Config
  /** The service that the flags ask for. It requires nothing but what the platform gives. */
  readonly make: (options: never) => Effect.Effect<Service.Any, Problem>
}

/** `make` gives the service, or an effect of it: a file to be read, an endpoint that is none. */
export const make = <const Flags extends Command.Command.Config, P, E, R extends Service.Platform>(options: {
  readonly name: string
  readonly description: string
  readonly flags: Flags
  readonly make: (
    options: Command.Command.Config.Infer<Flags>
  ) => Service.Service<P, E, R> | Effect.Effect<Service.Service<P, E, R>, Problem>
}): ServiceMaker<Flags> => ({
  [TypeId]: TypeId,
  name: options.name,
  description: options.description,
  flags: options.flags,
  make: (given: Command.Command.Config.Infer<Flags>) =>
    Effect.suspend((): Effect.Effect<Service.Any, Problem> => {
      const made = options.make(given)
      return Service.isService(made) ? Effect.succeed(made as Service.Any) : made
    })
})

export const isServiceMaker = (u: unknown): u is Any =>
  typeof u === "object" &&
  u !== null &&
  TypeId in u &&
  "make" in u &&
  typeof u.make === "function" &&
  "flags" in u &&
  typeof u.flags === "object"

/** What plugins of the kind `service` export. */
export const kind: PluginKind.PluginKind<Any> = PluginKind.make<Any>("service", {
  description: "services that `spindle NAME` runs",
  validate: (value) =>
    isServiceMaker(value) ? Result.succeed(value) : Result.fail("it is not made by ServiceMaker.make")
})
