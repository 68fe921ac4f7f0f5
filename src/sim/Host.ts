import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as NetAddress from "effect/net/NetAddress"
import type { CrashMode } from "./Disk.ts"
import type { Provided } from "./Inside.ts"
import * as Life from "./Life.ts"
import type { Crashed } from "./SimError.ts"
import type { SimNetwork } from "./SimNetwork.ts"
import type { SimNode } from "./SimNode.ts"

/**
 * A host of the world, and the program that runs on it: from boot to crash is one life. The program is an effect, and so
 * can be begun again; of what it keeps, only its disk survives a crash.
 */
export interface Host<out A = unknown, out E = unknown> {
  readonly name: string
  /** Its addresses on the network. */
  readonly addresses: ReadonlyArray<string>
  /** Powered: its program may be over nevertheless. */
  readonly isUp: boolean
  /** What the program of this life, or of the last one, gives. */
  readonly join: Effect.Effect<A, E | Crashed>
  /** Boots, if it is down, and begins its program, if that is not running. */
  readonly start: Effect.Effect<void>
  /**
   * Power fails: from this moment on nothing of it is heard, and nothing of its program runs, not even a finalizer. What the
   * disk does with what was not synced: default `tear`.
   */
  readonly crash: (disk?: CrashMode) => Effect.Effect<void>
  /** Its program is told to end, as by SIGTERM: it may close what it has, and is waited for. The host stays up. */
  readonly stop: Effect.Effect<void>
}

export interface HostSettings<A, E> {
  readonly network: SimNetwork
  readonly node: SimNode
  readonly program: Effect.Effect<A, E, Provided>
  /** Its program ended, by itself. */
  readonly ended: (exit: Exit.Exit<A, E>) => void
}

export const make = <A, E>(settings: HostSettings<A, E>): Host<A, E> => {
  const { ended, network, node, program } = settings
  let life: Life.Life<A, E> | undefined
  let isRunning = false
  return {
    name: node.name,
    get addresses() {
      return node.host.addresses.map(NetAddress.formatIp)
    },
    get isUp() {
      return !node.isDown
    },
    join: Effect.suspend(() => (life === undefined ? Effect.never : Deferred.await(life.exit))),
    start: Effect.suspend(() => {
      if (isRunning && !node.isDown) return Effect.void
      node.boot()
      isRunning = true
      const over = (exit: Exit.Exit<A, E>) => {
        isRunning = false
        ended(exit)
      }
      return Effect.map(Life.begin(network, node, program, over), (begun) => {
        life = begun
      })
    }),
    crash: (disk = "tear") =>
      Effect.sync(() => {
        node.crash(disk)
        isRunning = false
      }),
    stop: Effect.suspend(() => life?.stop ?? Effect.void)
  }
}
