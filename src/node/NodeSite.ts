import type { Resolver } from "../reactor/Resolver.ts"
import type { Turn } from "../reactor/Turn.ts"
import type { NodeListeners } from "./NodeListeners.ts"
import type { NodeTlsSessions } from "./NodeTlsSessions.ts"

/** What the parts of one Node reactor share. */
export interface NodeSite {
  readonly turn: Turn
  /** Who knows names. */
  readonly resolver: Resolver
  /** Client sessions that can be resumed. */
  readonly sessions: NodeTlsSessions
  /** The sockets that are open, and where others come from. */
  readonly listeners: NodeListeners
}
