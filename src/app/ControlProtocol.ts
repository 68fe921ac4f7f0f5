/**
 * What the command says to a running daemon, and hears: lines of JSON over a UNIX socket that only its user may open. One
 * request on each connection; the daemon answers with any number of `Line`s and, at the end, `Done` or `Refused`.
 */
import * as Schema from "effect/Schema"

export const Status = Schema.TaggedStruct("Status", {})
/** Stops it, as SIGTERM does. The answer comes when it has stopped, by the end of the connection. */
export const Stop = Schema.TaggedStruct("Stop", {})
export const Reload = Schema.TaggedStruct("Reload", {})
/** Starts a successor on the same sockets, and ends when that is ready. */
export const Restart = Schema.TaggedStruct("Restart", {})
/** What was logged last, and what will be. */
export const Logs = Schema.TaggedStruct("Logs", {
  lines: Schema.Finite,
  follow: Schema.Boolean
})
/** A service by path. */
export const Service = Schema.TaggedStruct("Service", {
  operation: Schema.Literals(["start", "stop", "restart"]),
  path: Schema.String
})

export const Request = Schema.Union([Status, Stop, Reload, Restart, Logs, Service])
export type Request = typeof Request.Type

export const Line = Schema.TaggedStruct("Line", { text: Schema.String })
/** `value` is what the request asked for, if it did. */
export const Done = Schema.TaggedStruct("Done", { value: Schema.optionalKey(Schema.Unknown) })
/** It was not done. */
export const Refused = Schema.TaggedStruct("Refused", { detail: Schema.String })

export const Reply = Schema.Union([Line, Done, Refused])
export type Reply = typeof Reply.Type

/** Longer than any request, or line of a log. */
export const frameBytesMax = 1_048_576

/** Where a daemon's socket is: beside its pid file. */
export const socketOf = (pidFile: string): string => `${pidFile}.sock`
