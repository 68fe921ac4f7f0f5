/** What a trace says of a connection, and how that is put in words. Pure. */
import type * as NetAddress from "effect/net/NetAddress"
import { visible } from "../reactor/EndpointExcerpt.ts"
import * as PeerKey from "./PeerKey.ts"
import * as WireFormat from "./WireFormat.ts"

/**
 * `Finished`: the protocol has returned; what its finalizers send comes later. `Closed`, `Aborted` (by us) and `Lost`
 * are the end of the connection.
 */
export type Event =
  | "Opened"
  | "Received"
  | "Sent"
  | "InputEnded"
  | "OutputEnded"
  | "Secured"
  | "Finished"
  | "Closed"
  | "Aborted"
  | "Lost"

export interface Entry {
  /** From 1, for each call of `WireTrace.over`. */
  readonly connection: number
  /** Since 1970. */
  readonly timeMillis: number
  readonly local: NetAddress.SocketAddress
  readonly peer: NetAddress.SocketAddress
  readonly event: Event
  /** How many bytes passed. */
  readonly size: number
  /** What is shown of them; `undefined` where nothing is. */
  readonly bytes: Uint8Array | undefined
  /** How it was secured, how the protocol ended, why the connection was lost. May hold anything: the peer has a hand in it. */
  readonly detail: string
}

export interface FormatOptions {
  /** Text on one line, or a dump of sixteen bytes a line. Default `text`. */
  readonly format?: "text" | "hex" | undefined
  /** What is shown of a piece. Default 1,024. */
  readonly bytesMax?: number | undefined
  /** Begins with the time (ISO 8601, UTC). Loggers have their own. Default `false`. */
  readonly time?: boolean | undefined
}

const bytesMaxDefault = 1_024

const words: Readonly<Record<Event, string>> = {
  Opened: "opened",
  Received: "received",
  Sent: "sent",
  InputEnded: "input ended",
  OutputEnded: "output ended",
  Secured: "secured",
  Finished: "finished",
  Closed: "closed",
  Aborted: "aborted",
  Lost: "lost"
}

/** `#1 192.0.2.7:4711 received 6 bytes: QUIT\r\n`, with all control characters escaped. */
export const format = (entry: Entry, options: FormatOptions = {}): string => {
  const time = options.time === true ? `${new Date(entry.timeMillis).toISOString()} ` : ""
  const what = `${time}#${entry.connection} ${PeerKey.show(entry.peer)} ${words[entry.event]}`
  if (entry.event === "Received" || entry.event === "Sent") return what + content(entry, options)
  return entry.detail === "" ? what : `${what}: ${visible(entry.detail)}`
}

const content = ({ bytes, size }: Entry, options: FormatOptions): string => {
  const amount = ` ${size} ${size === 1 ? "byte" : "bytes"}`
  if (bytes === undefined) return `${amount}, hidden`
  const { bytesMax = bytesMaxDefault } = options
  const shown = WireFormat.head(bytes, bytesMax)
  const cut = shown.length < bytes.length ? `, ${shown.length} of them` : ""
  return options.format === "hex"
    ? `${amount}${cut}:${WireFormat.hexdump(shown)}`
    : `${amount}${cut}: ${WireFormat.text(shown)}`
}
