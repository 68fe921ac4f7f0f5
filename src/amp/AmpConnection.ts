/**
 * A connection that speaks AMP: calls go both ways, many at once, each answered when it is done. Twisted: `AMP`.
 *
 * `make` gives the connection and what runs it; `AmpServer` and `AmpClient` put the two together.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Protocol } from "../protocol/Protocol.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type * as Tls from "../reactor/Tls.ts"
import type { Transport } from "../reactor/Transport.ts"
import type { CallOptions } from "./AmpCalls.ts"
import type * as AmpCommand from "./AmpCommand.ts"
import type { AmpError } from "./AmpError.ts"
import type { Fields } from "./AmpFields.ts"
import type * as AmpGroup from "./AmpGroup.ts"
import type { Box, Limits } from "./AmpWire.ts"

export type { CallOptions }

type CallOf<N extends string, A extends Fields, R extends Fields, E extends AmpCommand.Errors> =
  | AmpCommand.Command<N, A, R, E, "Call">
  | AmpCommand.Command<N, A, R, E, "Notice">

/** What a call gives: the answer, or nothing where none is waited for. */
export type Answer<C extends AmpCommand.Any> = C["kind"] extends "Notice"
  ? void
  : keyof C["response"] extends never
    ? void
    : AmpCommand.ResponseOf<C>

/** What a call may fail with besides `AmpError`: a notice hears of nothing. */
export type Failure<C extends AmpCommand.Any> = C["kind"] extends "Notice" ? never : AmpCommand.ErrorsOf<C>

export type Callable = CallOf<string, Fields, Fields, AmpCommand.Errors>

/** Calls by the names of the commands, for one group. */
export type Caller<G extends AmpGroup.Any> = {
  readonly [Name in keyof G["commands"] as G["commands"][Name]["kind"] extends "Switch" ? never : Name]: (
    ...args: Given<G["commands"][Name]>
  ) => Effect.Effect<Answer<G["commands"][Name]>, Failure<G["commands"][Name]> | AmpError>
}

/** What is given to a call: nothing at all where the command has no arguments, or may do without. */
type Given<C extends AmpCommand.Any> =
  {} extends AmpCommand.ArgumentsOf<C>
    ? [args?: AmpCommand.ArgumentsOf<C>, options?: CallOptions]
    : [args: AmpCommand.ArgumentsOf<C>, options?: CallOptions]

/** What handlers find as a service: the connection on which the command came. */
export class AmpConnection extends Context.Service<
  AmpConnection,
  {
    /** The stream below, for its addresses and security: another one once TLS has started. Do not receive from it. */
    readonly transport: Transport
    /**
     * Asks the peer. Interrupting it frees its place, and interrupts the handler there, where the peer is one of ours; what was done is
     * not undone. Twisted: `callRemote`.
     */
    readonly call: <C extends Callable>(
      command: C,
      ...args: Given<C>
    ) => Effect.Effect<Answer<C>, Failure<C> | AmpError>
    /** Asks with a box as it is, and gives the answer so. Twisted: `callRemoteString`. */
    readonly callBox: (name: string, box: Box, options?: CallOptions) => Effect.Effect<Box, AmpError>
    /** Calls by name. */
    readonly caller: <G extends AmpGroup.Any>(group: G) => Caller<G>
    /**
     * Has both sides change to TLS. What is sent meanwhile waits. Without options of its own, those of the connection count.
     * Interrupting it ends the connection: half a change cannot be taken back. Twisted: `callRemote(StartTLS)`.
     */
    readonly startTls: (tls?: Tls.ClientOptions | Tls.ServerOptions) => Effect.Effect<void, AmpError>
    /**
     * Asks the peer to go on with another protocol, and speaks `protocol` once it has agreed. Other calls that are under way fail as
     * `ProtocolSwitched`. Interrupting it before the answer ends the connection. Twisted: `callRemote(ProtocolSwitchCommand)`.
     */
    readonly switchTo: <
      C extends AmpCommand.Command<string, Fields, Fields, AmpCommand.Errors, "Switch">,
      E,
      R
    >(
      command: C,
      args: AmpCommand.ArgumentsOf<C>,
      protocol: Protocol<Transport, E, R>
    ) => Effect.Effect<void, E | AmpCommand.ErrorsOf<C> | AmpError, R>
  }
>()("spindle/amp/AmpConnection") {}

export interface Options extends Limits {
  /**
   * Which side of TLS this is; the peer must be the other. Twisted: whoever connected is the client, whoever asks for TLS. Set by
   * `AmpServer` and `AmpClient`.
   */
  readonly role?: "client" | "server" | undefined
  /** For `StartTLS`. A server without refuses it; a client without checks nothing but what the platform trusts. */
  readonly tls?: Tls.ClientOptions | Tls.ServerOptions | undefined
  /** How long a call waits for its answer, unless it says otherwise. Default: as long as the connection stands. */
  readonly callTimeout?: Duration.Input | undefined
  /** Calls of ours that are under way at once; more wait for their turn. Default 1,024. */
  readonly callsMax?: number | undefined
  /** Commands of the peer that are worked on at once; reading waits when there are more. Default 256. */
  readonly commandsMax?: number | undefined
  /**
   * Commands that are kept while `commandsMax` are worked on and answers to our own calls must be read. More of them end the
   * connection as `Overloaded`. Default 4,096.
   */
  readonly commandsQueuedMax?: number | undefined
  /** How long commands may still be worked on once the peer has ended its side; then they are interrupted. Default 5 seconds. */
  readonly finishTimeout?: Duration.Input | undefined
  /** The most bytes of a box with values above 65,535 bytes, once both sides have agreed to them; 0 to refuse. Default 16 MiB. */
  readonly largeBoxBytesMax?: number | undefined
}

/** How a conversation ends that does not end in order. */
export type ConversationError = AmpError | TransportError
