/** A telnet server (RFC 854): a terminal for each connection, with whom a shell converses. Twisted: `conch.telnet.TelnetTransport`. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Idle from "../protocol/Idle.ts"
import type { Protocol } from "../protocol/Protocol.ts"
import * as Server from "../protocol/Server.ts"
import type * as Endpoint from "../reactor/Endpoint.ts"
import type { Reactor } from "../reactor/Reactor.ts"
import type { ListenError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Telnet from "./Telnet.ts"
import { TelnetShell } from "./TelnetShell.ts"
import * as TelnetTerminal from "./TelnetTerminal.ts"

/** The port that IANA gave it. */
export const port = 23

export interface Options
  extends Pick<Telnet.Options, "subnegotiationBytesMax" | "controlsPerSecondMax">, TelnetTerminal.Options {
  /** How long nothing may be said by either side. Default 15 minutes. */
  readonly idleTimeout?: Duration.Input | undefined
}

/**
 * What runs on a connection. The shell is attended to: sizes, questions whether we are there, and the loss of the connection are heard while it
 * does other things than to read.
 */
export const protocol = (options: Options = {}): Protocol<Transport, Telnet.Failure, TelnetShell> => {
  const { controlsPerSecondMax, idleTimeout = "15 minutes", lineMode, subnegotiationBytesMax } = options
  const local = TelnetTerminal.localOptions
  const remote = TelnetTerminal.remoteOptions(lineMode)
  const converse = Telnet.over({ local, remote, controlsPerSecondMax, subnegotiationBytesMax })(
    Effect.fnUntraced(function* (telnet) {
      const { converse } = yield* TelnetShell
      const terminal = yield* TelnetTerminal.make(telnet, options)
      yield* terminal.attend(converse(terminal))
    })
  )
  return Idle.over(idleTimeout)(converse)
}

/** A server on an endpoint, for as long as the Layer lives. */
export const layer = (
  endpoint: Endpoint.Server,
  options: Options & Server.Options = {}
): Layer.Layer<never, ListenError, Reactor | TelnetShell> =>
  Server.layer(endpoint, protocol(options), { name: "telnet", ...options })
