/** The place of one listening socket of a process, from before it is open until it is closed. */
import * as Effect from "effect/Effect"
import type { ListenReason } from "../reactor/ReactorError.ts"
import type { NativeHandle } from "./nativeHandle.ts"
import type { Binding } from "./NodeBinding.ts"
import type { NodeListenerSource, Taken, TakenHandle, TakenOther } from "./NodeListenerSource.ts"

/** An open socket, as whoever hands it on sees it. */
export interface OpenSocket {
  /** To be sent; `undefined` when it cannot be. */
  readonly handle: () => NativeHandle | undefined
  /** Another process serves it from now on: accepts and reads nothing more, and leaves its file alone. What was accepted stays. */
  readonly stepBack: () => void
  /** That other process failed in the last moment: file and lock are ours again. */
  readonly reclaim: () => void
  /** Whether what was accepted has not been handed over yet: handshakes. */
  readonly isBusy: () => boolean
}

export class NodeListenerPlace {
  readonly key: string
  readonly binding: Binding
  open: OpenSocket | undefined = undefined
  private readonly source: NodeListenerSource | undefined
  private readonly onLeft: () => void

  constructor(key: string, binding: Binding, source: NodeListenerSource | undefined, onLeft: () => void) {
    this.key = key
    this.binding = binding
    this.source = source
    this.onLeft = onLeft
  }

  get take(): Effect.Effect<Taken | undefined, ListenReason> {
    return this.source === undefined ? Effect.undefined : this.source.take(this.key, this.binding)
  }

  /** The others at its port. */
  takeOthers({ others }: TakenHandle): Effect.Effect<ReadonlyArray<TakenOther>, ListenReason> {
    const { binding, source } = this
    if (source === undefined || others.length === 0) return Effect.succeed([])
    return Effect.forEach(others, (key) =>
      Effect.map(source.take(key, binding), (taken) =>
        taken?._tag === "Handle" ? [{ key, handle: taken.handle }] : []
      )
    ).pipe(Effect.map((found) => found.flat()))
  }

  /** It is closed, or was not opened. Idempotent. */
  readonly leave = (): void => {
    this.open = undefined
    this.onLeft()
  }
}
