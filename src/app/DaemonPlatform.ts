/** What the platform gives an application that a daemon runs. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { NodeListeners } from "../node/NodeListeners.ts"
import * as NodeReactor from "../node/NodeReactor.ts"
import * as NodeSignals from "../node/NodeSignals.ts"
import * as NodeTimers from "../node/NodeTimers.ts"
import { Processes } from "../reactor/ProcessesService.ts"
import { Threads } from "../reactor/Threads.ts"
import type { Platform } from "./Service.ts"

/** Loaded when the first process is started: most applications start none. */
const processes = Layer.effect(
  Processes,
  Effect.map(
    Effect.cached(
      Effect.map(
        Effect.promise(() => import("../node/NodeProcesses.ts")),
        (module) => module.make()
      )
    ),
    (made) =>
      Processes.of({
        spawn: (command) => Effect.flatMap(made, (service) => service.spawn(command)),
        spawnPty: (command) => Effect.flatMap(made, (service) => service.spawnPty(command))
      })
  )
)

/** Loaded when the first job is run. */
const threads = Layer.effect(
  Threads,
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const made = yield* Effect.cached(
      Effect.flatMap(
        Effect.promise(() => import("../node/NodeThreads.ts")),
        (module) => Scope.provide(module.make(), scope)
      )
    )
    return Threads.of({
      run: (request) => Effect.flatMap(made, (pool) => pool.run(request)),
      resize: (size) => Effect.flatMap(made, (pool) => pool.resize(size)),
      stats: Effect.flatMap(made, (pool) => pool.stats)
    })
  })
)

/** The reactor takes its listening sockets from `listeners`, and shows them there. */
export const layer = (listeners: NodeListeners): Layer.Layer<Platform> =>
  Layer.mergeAll(
    NodeReactor.layerWith({ listeners }),
    NodeSignals.layer,
    NodeTimers.layer,
    processes,
    threads
  )
