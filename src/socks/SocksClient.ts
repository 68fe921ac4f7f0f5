/** Asks a SOCKS proxy over a connection that there is. Twisted has no client; `SocksEndpoint` is the easy way to connect. */
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import * as Socks4Wire from "./Socks4Wire.ts"
import * as Socks5Wire from "./Socks5Wire.ts"
import { Denied, LoginRejected, NoMethod, SocksError, type SocksReason, Unaskable } from "./SocksError.ts"
import { receive } from "./SocksReceive.ts"
import type { Command, Place } from "./SocksWire.ts"

export interface Options {
  /** Default 5. */
  readonly version?: 4 | 5 | undefined
  /** Of SOCKS 5: who logs in. Sent in plaintext: use TLS to a proxy that is not on this machine or network. Default nobody. */
  readonly login?: { readonly user: string; readonly password: Redacted.Redacted } | undefined
  /** Of SOCKS 4: who we say that we are. Default nobody. */
  readonly userId?: string | undefined
}

/** Where to: a name goes to the proxy, which looks it up, international ones as `xn--`; an address goes as one. */
export interface Target {
  readonly host: string
  readonly port: number
}

type Asked<A> = Effect.Effect<A, SocksError | TransportError>

/** The connection leads to the target from now on. Gives the proxy's end of the other one. */
export const connect = (transport: Transport, target: Target, options?: Options): Asked<Place> =>
  ask(transport, "connect", target, options)

export interface Bound {
  /** Where the other one must connect to. An unspecified address: that of the proxy. */
  readonly address: Place
  /** Waits for that; then the connection leads to it. Gives where it came from. */
  readonly accepted: Asked<Place>
}

/** Has the proxy wait for one connection from the target. */
export const bind = (transport: Transport, target: Target, options?: Options): Asked<Bound> =>
  Effect.map(ask(transport, "bind", target, options), (address) => ({
    address,
    accepted: reply(transport, "bind", options?.version ?? 5)
  }))

/**
 * Has the proxy pass datagrams on as long as the connection lives (SOCKS 5). Gives where to send them: each with its target in front
 * (`Socks5Wire.formatDatagram`). `from` is where they will be sent from, if that is known.
 */
export const associate = (
  transport: Transport,
  options?: Options,
  from: Target = { host: "0.0.0.0", port: 0 }
): Asked<Place> => ask(transport, "associate", from, options)

const ask = Effect.fnUntraced(function* (
  transport: Transport,
  command: Command,
  target: Target,
  { login, userId, version = 5 }: Options = {}
): Effect.fn.Return<Place, SocksError | TransportError> {
  const host = yield* Effect.fromResult(hostOf(target.host))
  const request = { version, command, host, port: target.port, userId }
  // Before anything is sent.
  const bytes = yield* Effect.fromResult(
    version === 5 ? Socks5Wire.formatRequest(request) : Socks4Wire.formatRequest(request)
  )
  if (version === 5) yield* greet(transport, command, login)
  yield* transport.send(bytes)
  return yield* reply(transport, command, version)
})

const greet = Effect.fnUntraced(function* (
  transport: Transport,
  operation: Command,
  login: Options["login"]
): Effect.fn.Return<void, SocksError | TransportError> {
  const { none, password } = Socks5Wire.method
  const credentials =
    login === undefined ? undefined : yield* Effect.fromResult(Socks5Wire.formatLogin(login))
  yield* transport.send(Socks5Wire.formatGreeting(credentials === undefined ? [none] : [none, password]))
  const chosen = yield* receive(transport, Socks5Wire.parseChoice)
  if (chosen === none) return
  if (chosen !== password || credentials === undefined) return yield* failed(operation, new NoMethod())
  yield* transport.send(credentials)
  if (!(yield* receive(transport, Socks5Wire.parseLoginReply)))
    return yield* failed(operation, new LoginRejected())
})

const reply = Effect.fnUntraced(function* (
  transport: Transport,
  operation: Command,
  version: 4 | 5
): Effect.fn.Return<Place, SocksError | TransportError> {
  if (version === 5) {
    const { code, host, port } = yield* receive(transport, Socks5Wire.parseReply)
    if (code !== Socks5Wire.code.succeeded) return yield* failed(operation, new Denied({ version, code }))
    return { host, port }
  }
  const { address, code, port } = yield* receive(transport, Socks4Wire.parseReply)
  if (code !== Socks4Wire.granted) return yield* failed(operation, new Denied({ version, code }))
  return { host: address, port }
})

const failed = (operation: Command, reason: SocksReason) => Effect.fail(new SocksError({ operation, reason }))

/** An address, or a name as it goes to the proxy. */
export const hostOf = (text: string): Result.Result<Place["host"], SocksError> => {
  const address = NetAddress.ipFromString(text)
  return Result.isSuccess(address)
    ? Result.succeed(address.success)
    : Result.mapError(
        Host.domainNameFromString(text),
        ({ message }) => new SocksError({ operation: "format", reason: new Unaskable({ detail: message }) })
      )
}
