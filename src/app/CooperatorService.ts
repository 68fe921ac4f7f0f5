/**
 * A `Cooperator` for the services that come after it: long work in turns. Its stop stops all tasks. Twisted:
 * `CooperatorService`.
 */
import * as Cooperator from "../reactor/Cooperator.ts"
import type { Timers } from "../reactor/Timers.ts"
import * as Service from "./Service.ts"

export interface Options extends Omit<Service.Common, "name">, Cooperator.Options {
  /** Default `cooperator`. */
  readonly name?: string | undefined
}

export const make = (options: Options = {}): Service.Service<Cooperator.Cooperator, never, Timers> =>
  Service.layer(Cooperator.layer(options), {
    ...options,
    name: options.name ?? "cooperator",
    description: options.description ?? "work done in turns"
  })
