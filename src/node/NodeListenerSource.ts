import type * as net from "node:net"
import type * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type { ListenReason } from "../reactor/ReactorError.ts"
import type { NativeHandle } from "./nativeHandle.ts"
import type { Binding } from "./NodeBinding.ts"

/** When what was taken may be used. */
export interface Beginning {
  readonly isNow: boolean
  /** Done then, or at once. The function it gives prevents it. */
  readonly when: (run: () => void) => () => void
}

/** A socket from elsewhere, bound, and perhaps listening. */
export interface TakenHandle {
  readonly _tag: "Handle"
  readonly handle: NativeHandle
  /**
   * Nothing is accepted or read before. Until then whoever has it, too, serves it alone: if this process fails to start, nothing
   * is lost.
   */
  readonly beginning: Beginning
  /**
   * The process from which socket file and lock are taken over, once this one has begun. `undefined`: they stay with the process
   * that gave it.
   */
  readonly owner: number | undefined
  /** Keys of other sockets at the same port, where more processes had one each: connections wait there, too. */
  readonly others: ReadonlyArray<string>
}

/** One of those others. */
export interface TakenOther {
  readonly key: string
  readonly handle: NativeHandle
}

/** Connections that another thread accepts. */
export interface TakenFeed {
  readonly _tag: "Feed"
  readonly address: NetAddress.SocketAddress
  /** The server gets each as if it had accepted it, until the function it gives is called. */
  readonly attach: (server: net.Server) => () => void
}

/** Nothing: it is to be bound there, and shared with others that do the same. */
export interface TakenPort {
  readonly _tag: "Port"
  readonly port: number
}

export type Taken = TakenHandle | TakenFeed | TakenPort

/**
 * Where listening sockets come from, before the reactor binds them itself: the process before this one, or the one above it.
 * `key` names the binding, and which one it is of several that are equal.
 */
export interface NodeListenerSource {
  /** `undefined`: it has none, bind it. A failure is that of the endpoint. */
  readonly take: (key: string, binding: Binding) => Effect.Effect<Taken | undefined, ListenReason>
}
