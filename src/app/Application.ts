/**
 * An application: the root of a tree of services, with a name and a configuration. Twisted: `service.Application`.
 *
 * ```ts
 * export default Application.make({
 *   name: "chat",
 *   config: { listen: EndpointConfig.server("listen"), room: Config.String("room").pipe(Config.withDefault("lobby")) },
 *   services: ({ listen, room }) => [
 *     Service.layer(Room.layer(room), { name: "room" }),
 *     StreamServerService.make({ name: "chat", endpoint: listen, protocol: chat })
 *   ]
 * })
 * ```
 *
 * It is a value: nothing runs until somebody runs it, by `spindle run FILE` or `Application.run`.
 */
import { dual } from "effect/Function"
import type * as Layer from "effect/Layer"
import { pipeArguments } from "effect/Pipeable"
import type * as Pipeable from "effect/Pipeable"
import type { Live, Shape, Value } from "./ConfigurationShape.ts"
import * as Service from "./Service.ts"
import * as ServiceGroup from "./ServiceGroup.ts"

export { type End, run, type RunOptions } from "./ApplicationSignals.ts"

export const TypeId = "~spindle/app/Application" as const
export type TypeId = typeof TypeId

/**
 * @typeParam E how its services can fail
 * @typeParam R what it requires of whoever runs it: what it uses of the platform, and what nobody has provided yet
 */
export interface Application<out E = never, out R = never> extends Any {
  readonly [TypeId]: { readonly _E: (_: never) => E; readonly _R: (_: never) => R }
}

/** Any application, whatever it requires. */
export interface Any extends Pipeable.Pipeable {
  readonly [TypeId]: unknown
  readonly name: string
  /** One line for people; may be empty. */
  readonly description: string
  /** What is asked of flags, environment and files; undefined: nothing. */
  readonly config: Shape | undefined
  /** The root of its tree, for a configuration; what the application's own code throws is thrown. */
  readonly root: (config: unknown, live: Live<unknown>) => Service.Any
}

/** What `spindle run FILE` takes: an application that requires nothing but the platform. */
export type Runnable = Application<unknown, Service.Platform>

export const isApplication = (u: unknown): u is Application<unknown, unknown> =>
  typeof u === "object" && u !== null && TypeId in u

export interface Options<S extends Shape, Services extends ReadonlyArray<Service.Any>> {
  /** The daemon's files and log lines have it. */
  readonly name: string
  /** One line for people. Default: none. */
  readonly description?: string | undefined
  /** Effect's `Config`s by name; records in records, too. Default: none. */
  readonly config?: S | undefined
  /**
   * Its services, in the order in which they start; or what makes them of the configuration. `live` follows it when it is
   * reloaded: what a service reads of it in its `reload` is new.
   */
  readonly services: Services | ((config: Value<S>, live: Live<Value<S>>) => Services)
  /** What is restarted with a service that has failed. Default `one-for-one`. */
  readonly strategy?: ServiceGroup.Strategy | undefined
  /** More restarts than these, and the application fails. Default 3 in 5 seconds. */
  readonly intensity?: ServiceGroup.Options["intensity"]
}

export const make = <
  const Services extends ReadonlyArray<Service.Any>,
  const S extends Shape = Record<never, never>
>(
  options: Options<S, Services>
): Application<ServiceGroup.Error<Services>, ServiceGroup.Owed<Services>> => {
  const { config, description, intensity, name, services, strategy } = options
  return seal({
    name,
    description: description ?? "",
    config,
    root: (value, live) =>
      ServiceGroup.make(
        name,
        typeof services === "function" ? services(value as Value<S>, live as Live<Value<S>>) : services,
        { description, intensity, strategy }
      )
  })
}

/**
 * Gives its services what a layer has. The layer is one more service, the first of all: it is built in the second phase, when
 * privileges are gone; `provided` in the tree, or by `name`. What the platform gives is needed before that, and is given by
 * whoever runs the application.
 */
export const provide: {
  <Out, E2, In>(
    layer: Layer.Layer<Out, E2, In>,
    options?: { readonly name?: string | undefined }
  ): <E, R>(self: Application<E, R>) => Application<E | E2, In | Exclude<R, Exclude<Out, Service.Platform>>>
  <E, R, Out, E2, In>(
    self: Application<E, R>,
    layer: Layer.Layer<Out, E2, In>,
    options?: { readonly name?: string | undefined }
  ): Application<E | E2, In | Exclude<R, Exclude<Out, Service.Platform>>>
} = dual(
  (args) => isApplication(args[0]),
  <E, R, Out, E2, In>(
    self: Application<E, R>,
    layer: Layer.Layer<Out, E2, In>,
    options?: { readonly name?: string | undefined }
  ): Application<E | E2, In | Exclude<R, Exclude<Out, Service.Platform>>> =>
    seal({
      name: self.name,
      description: self.description,
      config: self.config,
      root: (value, live) => withFirst(self.root(value, live), layer, options?.name)
    })
)

const withFirst = <Out, E, In>(
  root: Service.Any,
  layer: Layer.Layer<Out, E, In>,
  given: string | undefined
): Service.Any => {
  const { body } = root
  if (body._tag !== "Group") return root
  const names = new Set(body.services.map(({ name }) => name))
  let name = given ?? "provided"
  for (let i = 2; given === undefined && names.has(name); i++) name = `provided-${i}`
  const { description, ...group } = { ...body, description: root.description }
  return ServiceGroup.make(root.name, [Service.layer(layer, { name }), ...body.services], {
    description,
    ...group
  })
}

const seal = <E, R>(fields: Omit<Any, TypeId | "pipe">): Application<E, R> =>
  Object.freeze(
    Object.assign(Object.create(prototype) as { readonly pipe: Pipeable.Pipeable["pipe"] }, {
      [TypeId]: { _E: (_: never): never => _, _R: (_: never): never => _ },
      ...fields
    })
  )

const prototype = {
  pipe(): unknown {
    return pipeArguments(this as never, arguments)
  }
}
