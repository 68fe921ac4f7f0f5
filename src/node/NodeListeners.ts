/**
 * The listening sockets of a process: where they come from, and which are open, so that they can be handed on. Reactors get it by
 * `NodeReactor.layerWith({ listeners })`; several may share one.
 */
import * as Effect from "effect/Effect"
import * as NodeBinding from "./NodeBinding.ts"
import { NodeListenerPlace, type OpenSocket } from "./NodeListenerPlace.ts"
import type { NodeListenerSource } from "./NodeListenerSource.ts"

/** What was accepted is handed over within a few turns, if there is no handshake. */
const pollMillis = 20
const composedMillis = 1_000

export class NodeListeners {
  private readonly source: NodeListenerSource | undefined
  private readonly places = new Map<string, NodeListenerPlace>()
  /** Endpoints around others are open: their connections go through something before they are handed over. */
  private composed = 0

  constructor(source: NodeListenerSource | undefined) {
    this.source = source
  }

  /** A place for one more socket: of several with equal bindings the first that is free. */
  enter(binding: NodeBinding.Binding): NodeListenerPlace {
    const base = NodeBinding.keyOf(binding)
    for (let i = 0; ; i++) {
      const key = `${base} #${i}`
      if (this.places.has(key)) continue
      return this.put(key, binding, this.source)
    }
  }

  /** An open socket that somebody keeps for others, by its key; the function it gives takes it out. */
  keep(key: string, binding: NodeBinding.Binding, open: OpenSocket): () => void {
    const place = this.put(key, binding, undefined)
    place.open = open
    return place.leave
  }

  private put(
    key: string,
    binding: NodeBinding.Binding,
    source: NodeListenerSource | undefined
  ): NodeListenerPlace {
    const place: NodeListenerPlace = new NodeListenerPlace(key, binding, source, () => {
      // Somebody else may have it by then.
      if (this.places.get(key) === place) this.places.delete(key)
    })
    this.places.set(key, place)
    return place
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

  /** Of several slots' sockets those that `find` does not give: whoever has fewer slots, or none, takes them as well. */
  othersOf(key: string): ReadonlyArray<string> {
    const found = this.find(key)
    const start = `${key.replace(/ @\d+$/, "")} @`
    return [...this.places].flatMap(([other, { open }]) =>
      other.startsWith(start) && open !== undefined && open !== found ? [other] : []
    )
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
