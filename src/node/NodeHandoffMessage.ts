/** What threads say to one another about connections and ports. Other messages on the same port are left alone. */
import type * as net from "node:net"

export interface HandedConnection {
  readonly _tag: "spindle/Connection"
  readonly socket: net.Socket
  /** Who counts it, and wants to hear that it was taken. */
  readonly lane?: number | undefined
}

export interface HandedListener {
  readonly _tag: "spindle/Listener"
  readonly server: net.Server
}

/** A connection came out at the other end, whatever becomes of it. */
export interface Taken {
  readonly _tag: "spindle/Taken"
  readonly lane: number
}

/** Whether somebody takes connections at the other end, from now on. Before the first of these: somebody will. */
export interface Attended {
  readonly _tag: "spindle/Attended"
  readonly attended: boolean
}

const isTagged = (message: unknown, tag: string): boolean =>
  typeof message === "object" && message !== null && "_tag" in message && message._tag === tag

export const isHandedConnection = (message: unknown): message is HandedConnection =>
  isTagged(message, "spindle/Connection")

export const isHandedListener = (message: unknown): message is HandedListener =>
  isTagged(message, "spindle/Listener")

export const isTaken = (message: unknown): message is Taken => isTagged(message, "spindle/Taken")

export const isAttended = (message: unknown): message is Attended => isTagged(message, "spindle/Attended")
