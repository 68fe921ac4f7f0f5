/**
 * Sends messages to a system log: this machine's by the program `logger` (Node has no datagram sockets of the UNIX family),
 * another one's over UDP or TCP. What messages look like is `spindle/log`'s: see `Syslog`.
 */
import * as dns from "node:dns"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Errno from "../reactor/Errno.ts"
import { complainDefault } from "./NodeLogFileOptions.ts"
import { countLost } from "./nodeLogMetrics.ts"
import * as Ways from "./NodeSyslogStream.ts"
import { NodeSyslogUdp } from "./NodeSyslogUdp.ts"

/**
 * - `Local`: messages are `<30>text`. - `Udp`, `Tcp`: any messages; over TCP each with its length before it (RFC 6587).
 */
export type Target =
  | {
      readonly _tag: "Local"
      /** The socket, where it is not `/dev/log`. */
      readonly socket?: string | undefined
      /** Another program, which reads messages, one a line. Default: `logger` of util-linux, with the tag and our process number. */
      readonly program?: readonly [command: string, ...args: ReadonlyArray<string>] | undefined
    }
  | { readonly _tag: "Udp" | "Tcp"; readonly host: string; readonly port: number }

export interface Options {
  readonly target: Target
  /** Who we are, for `Local`; others have it in the message. Default `spindle`. */
  readonly tag?: string | undefined
  /** What may wait while it is away, in UTF-16 units; what comes then is lost. Default 1 MiB. */
  readonly bufferLengthMax?: number | undefined
  /** Told, in one line, what goes wrong, and when that is over. Default: standard error. */
  readonly complain?: ((text: string) => void) | undefined
}

export class SyslogError extends Data.TaggedError("SyslogError")<{
  readonly target: string
  readonly detail: string
  /** The operating system's name for it (`ECONNREFUSED`, ...); `""` if it has none. */
  readonly errno: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return `system log ${this.target}: ${this.detail}`
  }
}

/** A `LogSink`. */
export interface NodeSyslog {
  /** A message, without a line's end. Never waits, never throws. */
  readonly write: (message: string) => void
  /** Is done when nothing waits any more. */
  readonly flush: Effect.Effect<void>
  readonly statistics: { readonly lines: number; readonly lost: number }
}

/** How long the end waits for what was not sent yet. */
const closeMillis = 2000

const nameOf = (target: Target): string =>
  target._tag === "Local" ? "local" : `syslog+${target._tag.toLowerCase()}://${target.host}:${target.port}`

const programOf = (
  target: Target & { readonly _tag: "Local" },
  tag: string
): readonly [string, ReadonlyArray<string>] => {
  if (target.program !== undefined) {
    const [command, ...args] = target.program
    return [command, args]
  }
  const socket = target.socket === undefined ? [] : ["--socket", target.socket]
  return ["logger", ["--prio-prefix", `--id=${process.pid}`, "--tag", tag, ...socket]]
}

const detailOf = (target: Target, error: Error, errno: string): string =>
  errno === "ENOENT" && target._tag === "Local"
    ? `there is no program ${target.program?.[0] ?? "logger (of util-linux)"}; name a server instead`
    : error.message

interface Carrier {
  readonly lines: number
  readonly lost: number
  readonly write: (message: string) => void
  readonly whenEmpty: (done: () => void) => () => void
}

interface Made {
  readonly carrier: Carrier
  readonly close: (millis: number, done: () => void) => void
}

const overStream = (open: Ways.Open, frame: (message: string) => string, options: Options) =>
  Effect.callback<Made, Error>((resume) => {
    const { bufferLengthMax = 1_048_576, complain = complainDefault } = options
    const stream = new Ways.NodeSyslogStream(open, { bufferLengthMax, complain, frame }, (error) =>
      resume(
        error === undefined
          ? Effect.succeed({
              carrier: stream.queue,
              close: (millis: number, done: () => void) => stream.close(millis, done)
            })
          : Effect.fail(error)
      )
    )
    return Effect.callback<void>((resume) => stream.close(0, () => resume(Effect.void)))
  })

/** The address that a name has now. */
const addressOf = (host: string): Effect.Effect<string, Error> =>
  Effect.callback((resume) =>
    dns.lookup(host, (error, address) =>
      resume(error === null ? Effect.succeed(address) : Effect.fail(error))
    )
  )

const open = (options: Options): Effect.Effect<Made, Error> => {
  const { complain = complainDefault, tag = "spindle", target } = options
  switch (target._tag) {
    case "Udp":
      return Effect.map(addressOf(target.host), (address) => {
        const udp = new NodeSyslogUdp({ address, port: target.port, complain })
        return { carrier: udp, close: (millis, done) => udp.close(millis, done) }
      })
    case "Tcp":
      return overStream(Ways.tcp(target.host, target.port), Ways.counted, options)
    case "Local":
      return overStream(Ways.program(...programOf(target, tag)), Ways.line, options)
  }
}

/**
 * Fails if it cannot be reached at first; later it is tried again, and messages wait. The end of the scope sends what waits, for
 * at most two seconds. Lost messages are the metric `spindle_log_lines_lost`, attribute `observer`.
 */
export const make = (options: Options): Effect.Effect<NodeSyslog, SyslogError, Scope.Scope> =>
  Effect.gen(function* () {
    const { target } = options
    const made = open(options).pipe(
      Effect.mapError((cause) => {
        const errno = Errno.codeOf(cause)
        return new SyslogError({
          target: nameOf(target),
          detail: detailOf(target, cause, errno),
          errno,
          cause
        })
      })
    )
    const { carrier } = yield* Effect.acquireRelease(
      made,
      ({ close }) => Effect.callback<void>((resume) => close(closeMillis, () => resume(Effect.void))),
      { interruptible: true }
    )
    yield* countLost(nameOf(target), () => carrier.lost)
    return {
      write: carrier.write,
      flush: Effect.callback<void>((resume) => {
        const forget = carrier.whenEmpty(() => resume(Effect.void))
        return Effect.sync(forget)
      }),
      get statistics() {
        return { lines: carrier.lines, lost: carrier.lost }
      }
    }
  })
