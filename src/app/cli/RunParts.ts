/** Parts of a running process that few runs have: each is loaded when it is asked for. */
import * as Effect from "effect/Effect"
import type * as NodePrivileges from "../../node/NodePrivileges.ts"
import * as DaemonError from "../DaemonError.ts"
import type * as DaemonFlags from "./DaemonFlags.ts"
import { UsageError } from "./UsageError.ts"

/** Whom the process is to become; undefined: it stays who it is. */
export const identityOf = (
  settings: DaemonFlags.DaemonSettings
): Effect.Effect<NodePrivileges.Identity | undefined, DaemonError.DaemonError> =>
  settings.uid === undefined && settings.gid === undefined
    ? Effect.undefined
    : Effect.flatMap(
        Effect.promise(() => import("../../node/NodePrivileges.ts")),
        (module) =>
          Effect.mapError(module.resolve({ user: settings.uid, group: settings.gid }), DaemonError.from)
      )

/** Becomes that. */
export const dropTo = (
  identity: NodePrivileges.Identity | undefined,
  settings: DaemonFlags.DaemonSettings
): Effect.Effect<void, DaemonError.DaemonError> =>
  identity === undefined
    ? Effect.void
    : Effect.flatMap(
        Effect.promise(() => import("../../node/NodePrivileges.ts")),
        (module) => Effect.mapError(module.drop(identity, { effectiveOnly: settings.euid }), DaemonError.from)
      )

/** Until the scope ends, which writes it. */
export const profile = (kind: "cpu" | "heap") =>
  Effect.flatMap(
    Effect.promise(() => import("../../node/NodeProfile.ts")),
    (module) => Effect.mapError(module.make({ kind }), DaemonError.from)
  )

/** Until the scope ends. */
export const inspect = (at: string) =>
  Effect.flatMap(
    Effect.promise(() => import("../../node/NodeInspect.ts")),
    (module) =>
      Effect.mapError(module.open(at), (error) => new UsageError({ detail: `--inspect: ${error.message}` }))
  )
