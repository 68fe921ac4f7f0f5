/**
 * Several protocols on one port, told apart by what the client says first.
 *
 * ```ts
 * import { Sniff } from "spindle/protocol"
 * import type { Tls, Transport } from "spindle/reactor"
 *
 * const one = (identity: Tls.Identity) =>
 *   Sniff.over([
 *     Sniff.tls({ identity }, (transport) => transport.send("under the seal\n")),
 *     Sniff.when(Sniff.http1, (transport) => transport.send("HTTP/1.0 204 No Content\r\n\r\n"))
 *   ], { default: (transport: Transport.Transport) => transport.send("220 who speaks first?\r\n") })
 * ```
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type { Conversation } from "../reactor/Conversation.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { Transport } from "../reactor/Transport.ts"
import { Ended, SniffError, TimedOut, Unrecognized } from "./SniffError.ts"
import { type Matcher, tlsClientHello } from "./SniffMatcher.ts"

export { SniffError } from "./SniffError.ts"
export * from "./SniffMatcher.ts"

/** A protocol, and how to know it. */
export interface Branch<out E, out R> {
  readonly matches: Matcher
  readonly protocol: Conversation<Transport, E, R>
}

export interface Limits {
  /** The most bytes that are looked at, or held, before it is told which protocol they are. Default 1,024. */
  readonly bytesMax?: number | undefined
  /**
   * How long the client may take to tell. Default 5 seconds; much less where `default` speaks first, as its clients wait that
   * long for the greeting.
   */
  readonly firstBytesTimeout?: Duration.Input | undefined
}

export interface Options<E, R> extends Limits {
  /** For clients that say nothing in time, end their side, or say what no branch knows: none of it is lost. */
  readonly default: Conversation<Transport, E, R>
}

type AnyBranches = ReadonlyArray<Branch<unknown, unknown>>
type ErrorOf<B> = B extends Branch<infer E, unknown> ? E : never
type RequirementsOf<B> = B extends Branch<unknown, infer R> ? R : never

const bytesMaxDefault = 1_024
const firstBytesTimeoutDefault = "5 seconds"
const excerptBytesMax = 16

/** The protocol for clients whose first bytes match. */
export const when = <E, R>(matches: Matcher, protocol: Conversation<Transport, E, R>): Branch<E, R> => ({
  matches,
  protocol
})

/** TLS: the handshake, then the protocol on what it protects, which may be another `over`. */
export const tls = <E, R>(
  options: Tls.ServerOptions,
  protocol: Conversation<Transport, E, R>
): Branch<E | TransportError, R> => ({
  matches: tlsClientHello,
  protocol: (transport) =>
    Effect.flatMap(transport.startTls({ role: "server", tls: options, unreadIsHello: true }), protocol)
})

/**
 * The first branch that matches gets the connection, with all its bytes; one that cannot tell yet is waited for, until the time or
 * the room is over: then it counts as no match. Without a `default`, a client that no branch knows ends with a `SniffError`, for a
 * `Server` a matter of level Debug. Throws a `RangeError` when a matcher may need more than `bytesMax`.
 */
export const over: {
  <const Branches extends AnyBranches, E, R>(
    branches: Branches,
    options: Options<E, R>
  ): Conversation<
    Transport,
    ErrorOf<Branches[number]> | E | TransportError,
    RequirementsOf<Branches[number]> | R
  >
  <const Branches extends AnyBranches>(
    branches: Branches,
    limits?: Limits
  ): Conversation<
    Transport,
    ErrorOf<Branches[number]> | SniffError | TransportError,
    RequirementsOf<Branches[number]>
  >
} = (
  branches: AnyBranches,
  options: Limits & { readonly default?: Conversation<Transport, unknown, unknown> | undefined } = {}
  // What the branches may fail with and require is in the signatures above.
  // oxlint-disable-next-line typescript/no-explicit-any
): Conversation<Transport, any, any> => {
  const { bytesMax = bytesMaxDefault, firstBytesTimeout = firstBytesTimeoutDefault } = options
  checkLimits(branches, bytesMax)
  return (transport) =>
    Effect.suspend(() => {
      const opening = new Opening(transport, branches, bytesMax)
      return opening.told.pipe(
        Effect.timeoutOrElse({
          duration: firstBytesTimeout,
          orElse: () => Effect.sync(() => opening.settle("TimedOut"))
        }),
        Effect.flatMap((branch) => {
          const protocol = branch === undefined ? options.default : branch.protocol
          return protocol === undefined
            ? Effect.fail(opening.error)
            : Effect.andThen(
                transport.unread(opening.bytes),
                Effect.suspend(() => protocol(transport))
              )
        })
      )
    })
}

const checkLimits = (branches: AnyBranches, bytesMax: number): void => {
  if (!Number.isInteger(bytesMax) || bytesMax < 1) {
    throw new RangeError(`bytesMax must be a whole number from 1, not ${bytesMax}`)
  }
  for (const [index, { matches }] of branches.entries()) {
    const verdict = matches(nothing)
    if (verdict._tag === "NeedMore" && verdict.atMost > bytesMax) {
      throw new RangeError(`branch ${index} may need ${verdict.atMost} bytes where ${bytesMax} are the limit`)
    }
  }
}

type Told = Branch<unknown, unknown> | undefined

/** The beginning of a connection, as far as it has come. */
class Opening {
  bytes: Uint8Array = nothing
  private readonly transport: Transport
  private readonly branches: AnyBranches
  private readonly bytesMax: number
  private why: "Unrecognized" | "TimedOut" | "Ended" = "Unrecognized"

  constructor(transport: Transport, branches: AnyBranches, bytesMax: number) {
    this.transport = transport
    this.branches = branches
    this.bytesMax = bytesMax
  }

  /** Which branch it is; `undefined` for none. */
  get told(): Effect.Effect<Told, TransportError> {
    // Interrupted while it waits, never with bytes in its hands: they must go back.
    const more = Effect.uninterruptibleMask((restore) =>
      Effect.map(restore(this.transport.receive), (bytes) => this.push(bytes))
    )
    const step: Effect.Effect<Told, TransportError> = Effect.flatMap(
      Pull.catchDone(more, () => Effect.sync(() => this.settle("Ended"))),
      (told) => (told === "undecided" ? step : Effect.succeed(told))
    )
    return step
  }

  /** Which it is when nothing more is to come: whoever would need more does not match. */
  settle(why: "TimedOut" | "Ended"): Told {
    this.why = why
    return this.match(this.bytes)
  }

  get error(): SniffError {
    const bufferedBytes = this.bytes.length
    switch (this.why) {
      case "Unrecognized":
        return new SniffError({
          reason: new Unrecognized({ firstBytes: this.bytes.subarray(0, excerptBytesMax) })
        })
      case "TimedOut":
        return new SniffError({ reason: new TimedOut({ bufferedBytes }) })
      case "Ended":
        return new SniffError({ reason: new Ended({ bufferedBytes }) })
    }
  }

  private push(piece: Uint8Array): Told | "undecided" {
    this.bytes = this.bytes.length === 0 ? piece : Buffer.concat([this.bytes, piece])
    if (this.bytes.length >= this.bytesMax) return this.match(this.bytes.subarray(0, this.bytesMax))
    for (const branch of this.branches) {
      const verdict = branch.matches(this.bytes)
      if (verdict._tag === "Match") return branch
      // One that has what it asked for and cannot tell is broken: nobody waits for it.
      if (verdict._tag === "NeedMore" && this.bytes.length < verdict.atMost) return "undecided"
    }
    return undefined
  }

  private match(bytes: Uint8Array): Told {
    return this.branches.find(({ matches }) => matches(bytes)._tag === "Match")
  }
}

const nothing = new Uint8Array(0)
