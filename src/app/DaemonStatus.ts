/** How a daemon is doing, as it tells who asks over its control socket. */
import * as Schema from "effect/Schema"
import type { Snapshot } from "./ServiceSnapshot.ts"

const State = Schema.Struct({
  _tag: Schema.String,
  since: Schema.Finite,
  until: Schema.optionalKey(Schema.Finite),
  waitingFor: Schema.optionalKey(Schema.String),
  ending: Schema.optionalKey(Schema.String),
  restarts: Schema.optionalKey(Schema.Finite),
  failure: Schema.optionalKey(Schema.Struct({ message: Schema.String }))
})

export interface ServiceStatus extends Omit<Snapshot, "children" | "state"> {
  readonly state: typeof State.Type
  readonly children: ReadonlyArray<ServiceStatus>
}

const Service: Schema.Codec<ServiceStatus> = Schema.Struct({
  name: Schema.String,
  path: Schema.String,
  description: Schema.String,
  kind: Schema.Literals(["service", "group"]),
  restart: Schema.String,
  state: State,
  ready: Schema.Boolean,
  live: Schema.Boolean,
  restarts: Schema.Finite,
  details: Schema.optionalKey(Schema.Unknown),
  children: Schema.Array(Schema.suspend((): Schema.Codec<ServiceStatus> => Service))
})

const Worker = Schema.Struct({
  slot: Schema.Finite,
  /** Its process or thread number, while it has one. */
  id: Schema.optionalKey(Schema.Finite),
  state: Schema.String,
  since: Schema.Finite,
  restarts: Schema.Finite,
  /** Why the last one ended that should not have. */
  failure: Schema.optionalKey(Schema.String)
})

export const DaemonStatus = Schema.Struct({
  application: Schema.String,
  /** Of Spindle. */
  version: Schema.String,
  pid: Schema.Finite,
  /** Milliseconds of the epoch, as all times here. */
  started: Schema.Finite,
  now: Schema.Finite,
  /** `Starting`, `Running`, `Draining`, ... */
  state: Schema.String,
  /** The tree's root; of a daemon with workers or threads, none: each has its own. */
  services: Schema.optionalKey(Service),
  workers: Schema.optionalKey(Schema.Array(Worker))
})
export type DaemonStatus = typeof DaemonStatus.Type

export const decode = Schema.decodeUnknownEffect(DaemonStatus)
