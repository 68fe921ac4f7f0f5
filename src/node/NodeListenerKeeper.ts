/**
 * The listening sockets of workers, kept by the process above them: a socket lives on, with the connections that wait at it, when the
 * worker that serves it dies or is replaced. Where the system shares ports (SO_REUSEPORT) each worker has one of its own, and the
 * system spreads the connections; elsewhere all have the same.
 */
import * as Effect from "effect/Effect"
import type { ListenReason } from "../reactor/ReactorError.ts"
import type { Binding } from "./NodeBinding.ts"
import type { NodeHeir } from "./NodeHeir.ts"
import { type KeptSocket, NodeKeptSockets } from "./NodeKeptSockets.ts"
import { NodeListeners } from "./NodeListeners.ts"

/** `auto`: one for each worker, where that can be. */
export type Sharing = "auto" | "one"

export class NodeListenerKeeper {
  /** What is kept, so that it can be handed on. */
  readonly listeners = new NodeListeners(undefined)
  /** Called when another process serves instead. */
  onStepBack: () => void = () => {}
  readonly heir: NodeHeir | undefined
  /** How many workers there are. */
  readonly count: number
  private readonly sharing: Sharing
  private readonly kept = new Map<string, NodeKeptSockets>()

  constructor(heir: NodeHeir | undefined, count: number, sharing: Sharing) {
    this.heir = heir
    this.count = count
    this.sharing = sharing
  }

  /** The socket of that key for the worker of that number: kept already, handed on by the process before this one, or bound now. */
  take(key: string, binding: Binding, slot: number): Effect.Effect<KeptSocket, ListenReason> {
    return Effect.suspend(() => {
      const other = this.kept.get(key.replace(/ @\d+$/, ""))?.other(key)
      if (other !== undefined) return Effect.succeed(other)
      let kept = this.kept.get(key)
      if (kept === undefined) {
        kept = new NodeKeptSockets(key, binding, this.sharing === "one", this)
        this.kept.set(key, kept)
      }
      return kept.take(slot)
    })
  }

  /** Closes all sockets; workers that have them still may go on. */
  readonly close: Effect.Effect<void> = Effect.sync(() => {
    for (const kept of this.kept.values()) kept.close()
    this.kept.clear()
  })
}
