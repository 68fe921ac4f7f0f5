/**
 * The listening sockets of a process: where they come from, and which are open, so that they can be handed on. Reactors get it by
 * `NodeReactor.layerWith({ listeners })`; several may share one.
 */
import * as Effect from "effect/Effect"
import type { ListenReason } from "../reactor/ReactorError.ts"
import type { NativeHandle } from "./nativeHandle.ts"
import * as NodeBinding from "./NodeBinding.ts"
import type { NodeListenerSource, Taken } from "./NodeListenerSource.ts"

/** What was accepted is handed over within a few turns, if there is no handshake. */
const pollMillis = 20
const composedMillis = 1_000

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

export class NodeListeners {
  private readonly source: NodeListenerSource | undefined
  private readonly places = new Map<string, Place>()
  /** Endpoints around others are open: their connections go through something before they are handed over. */
  private composed = 0

  constructor(source: NodeListenerSource | undefined) {
    this.source = source
  }

  /** A place for one more socket: of several with equal bindings the first that is free. */
  enter(binding: NodeBinding.Binding): Place {
    const base = NodeBinding.keyOf(binding)
    for (let i = 0; ; i++) {
      const key = `${base} #${i}`
      if (this.places.has(key)) continue
      const place = new Place(key, binding, this.source, () => this.places.delete(key))
      this.places.set(key, place)
      return place
    }
  }

  /** An open socket that somebody keeps for others, by its key; the function it gives takes it out. */
  keep(key: string, binding: NodeBinding.Binding, open: OpenSocket): () => void {
    const place = new Place(key, binding, undefined, () => this.places.delete(key))
    place.open = open
    this.places.set(key, place)
    return place.leave
  }

  /** Says that an endpoint around another one is open, or closed again. */
  readonly countComposed = (change: 1 | -1): void => {
    this.composed += change
  }

  get hasComposed(): boolean {
    return this.composed > 0
  }

  /**
   * The open socket of that key. `KEY @1` is that of a slot: where there are no slots, it is that of all, and where only slots are,
   * `KEY` is that of the first.
   */
  find(key: string): OpenSocket | undefined {
    const { places } = this
    const place = places.get(key) ?? places.get(key.replace(/ @\d+$/, "")) ?? places.get(`${key} @0`)
    return place?.open
  }

  /**
   * Waits until what was accepted has been handed over, at most so long. For endpoints around others, of which nobody tells, that
   * is a second.
   */
  settled(millis: number): Effect.Effect<void> {
    const busy = Effect.suspend(() => Effect.succeed(this.sockets.some((socket) => socket.isBusy())))
    const idle = Effect.sleep(pollMillis).pipe(
      Effect.andThen(busy),
      Effect.repeat({ while: (isBusy) => isBusy })
    )
    const composed = this.hasComposed ? Effect.sleep(Math.min(millis, composedMillis)) : Effect.void
    return Effect.andThen(composed, Effect.asVoid(Effect.timeoutOption(idle, millis)))
  }

  get sockets(): ReadonlyArray<OpenSocket> {
    return [...this.places.values()].flatMap(({ open }) => (open === undefined ? [] : [open]))
  }
}

/** Listeners that come from `source`, and else are bound here. */
export const make = (source?: NodeListenerSource): NodeListeners => new NodeListeners(source)

/** The place of one socket, from before it is open until it is closed. */
export class Place {
  readonly key: string
  readonly binding: NodeBinding.Binding
  open: OpenSocket | undefined = undefined
  private readonly source: NodeListenerSource | undefined
  private readonly onLeft: () => void

  constructor(
    key: string,
    binding: NodeBinding.Binding,
    source: NodeListenerSource | undefined,
    onLeft: () => void
  ) {
    this.key = key
    this.binding = binding
    this.source = source
    this.onLeft = onLeft
  }

  get take(): Effect.Effect<Taken | undefined, ListenReason> {
    return this.source === undefined ? Effect.undefined : this.source.take(this.key, this.binding)
  }

  /** It is closed, or was not opened. Idempotent. */
  readonly leave = (): void => {
    this.open = undefined
    this.onLeft()
  }
}
