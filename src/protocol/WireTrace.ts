/** Shows what passes on connections, to a log and to a capture file. Twisted: `SpewingFactory`, `TrafficLoggingFactory`. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import type { Wrapper } from "../reactor/Conversation.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { Role } from "./PcapConnection.ts"
import type { PcapFile } from "./PcapFile.ts"
import { type Entry, format, type FormatOptions } from "./WireEntry.ts"
import { TracedTransport, WireTracer } from "./WireTracer.ts"

export { type Entry, type Event, format, type FormatOptions } from "./WireEntry.ts"
export type { Role }

export interface Options extends FormatOptions {
  /**
   * Where the log goes: to the logger of Effect (default), nowhere, or to a function, which is called within the event
   * itself; what it throws is dropped. Bytes that were sent may be written over once the turn is over.
   */
  readonly log?: "logger" | "none" | ((entry: Entry) => void) | undefined
  /** Of what the logger is told. Where it is not enabled nothing is formatted. Default `Debug`. */
  readonly level?: LogLevel.Severity | undefined
  /** Where packets go: see `PcapFile`. */
  readonly capture?: PcapFile | undefined
  /** Which end we are, for the direction of the first packet. Default `server`. */
  readonly role?: Role | undefined
  /**
   * Changes what is shown of a piece, in the log and in the capture; `undefined` hides it all, and so does a throw. A
   * secret may come in two pieces.
   */
  readonly redact?:
    | ((bytes: Uint8Array, direction: "received" | "sent", connection: number) => Uint8Array | undefined)
    | undefined
}

/**
 * Each piece that passes, with its connection (a number from 1, for each call of `over`), peer, time and content, and
 * how the connection begins and ends. Under TLS it shows what is protected.
 */
export const over = (options: Options = {}): Wrapper<Transport, Transport> => {
  const { capture, level = "Debug", log = "logger" } = options
  let connections = 0
  return (protocol) => (transport) =>
    Effect.flatMap(enabled(log, level), (isEnabled) => {
      if (!isEnabled && capture === undefined) return protocol(transport)
      return Effect.flatMap(Clock.Clock, (clock) => {
        const tracer = new WireTracer({
          transport,
          clock,
          connection: ++connections,
          role: options.role ?? "server",
          capture,
          redact: options.redact,
          show: isEnabled ? shower(log, level, options) : undefined
        })
        const conversation = Effect.suspend(() => protocol(new TracedTransport(transport, tracer)))
        return Effect.onExit(Effect.andThen(tracer.opened, conversation), (exit) => tracer.finished(exit))
      })
    })
}

const enabled = (log: NonNullable<Options["log"]>, level: LogLevel.Severity): Effect.Effect<boolean> => {
  if (log !== "logger") return Effect.succeed(log !== "none")
  return LogLevel.isEnabled(level)
}

/** Gives what is left to do; `Effect.void` when nothing is. */
const shower = (
  log: NonNullable<Options["log"]>,
  level: LogLevel.Severity,
  options: FormatOptions
): ((entry: Entry) => Effect.Effect<void>) => {
  if (log === "logger") {
    const tell = Effect.logWithLevel(level)
    return (entry) => tell(format(entry, options))
  }
  return (entry) => {
    try {
      if (log !== "none") log(entry)
    } catch {
      // A log that fails is no reason for a connection to fail.
    }
    return Effect.void
  }
}
