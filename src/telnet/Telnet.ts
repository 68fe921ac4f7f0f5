/** A telnet connection: data, with options negotiated beside it. Twisted: `conch.telnet.Telnet`. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type { Protocol } from "../protocol/Protocol.ts"
import type { TransportError } from "../reactor/ReactorError.ts"
import type { Transport } from "../reactor/Transport.ts"
import { TelnetError, TooManyControls } from "./TelnetError.ts"
import * as TelnetSession from "./TelnetSession.ts"
import * as TelnetWire from "./TelnetWire.ts"

export type Failure = TelnetError | TransportError

/** What comes, but for negotiations, which are answered already. */
export type Input =
  | Exclude<TelnetWire.Event, { readonly _tag: "Negotiation" }>
  | Exclude<TelnetSession.Action, { readonly _tag: "Send" }>

export interface Options {
  /** What we do when the peer asks for it. Default: binary, suppressGoAhead. */
  readonly local?: Iterable<number> | undefined
  /** What we let the peer do when it offers it. Default: binary, suppressGoAhead. */
  readonly remote?: Iterable<number> | undefined
  /** Default 1,024. */
  readonly subnegotiationBytesMax?: number | undefined
  /** Negotiations, details and commands that the peer may send within a second. Default 200. */
  readonly controlsPerSecondMax?: number | undefined
}

export interface Telnet {
  readonly transport: Transport
  /** What comes next. One fiber at a time. Negotiation goes on only while somebody receives. */
  readonly receive: Pull.Pull<Input, Failure>
  /** Data, with what must be escaped; `\n` is a new line, `\r` a carriage return. */
  readonly send: (data: Uint8Array | string) => Effect.Effect<void, TransportError>
  /** A command without parameters: `TelnetWire.code.areYouThere`. */
  readonly command: (code: number) => Effect.Effect<void, TransportError>
  /** Details of an option that is on. */
  readonly subnegotiate: (option: number, bytes: Uint8Array) => Effect.Effect<void, TransportError>
  /** Whether the option is on, on our side (`Local`) or the peer's. */
  readonly isOn: (side: TelnetSession.Side, option: number) => boolean
  /** Asks for it; what comes of it comes as an `Input`. */
  readonly want: (
    side: TelnetSession.Side,
    option: number,
    on: boolean
  ) => Effect.Effect<void, TransportError>
  /** As `want`, and waits for the answer: whether it is as was wanted. Somebody else must receive meanwhile; the end of the connection is no. */
  readonly ask: (
    side: TelnetSession.Side,
    option: number,
    on: boolean
  ) => Effect.Effect<boolean, TransportError>
}

export const usual: ReadonlyArray<number> = [TelnetWire.option.binary, TelnetWire.option.suppressGoAhead]

export const make = (transport: Transport, options: Options = {}): Telnet => {
  const { controlsPerSecondMax = 200, local = usual, remote = usual, subnegotiationBytesMax } = options
  const policy: TelnetSession.Policy = { local: new Set(local), remote: new Set(remote) }
  const decoder = new TelnetWire.TelnetDecoder(subnegotiationBytesMax)
  const inputs: Array<Input> = []
  const waiting = new Map<string, Deferred.Deferred<void>>()
  let state = TelnetSession.initial
  /** Within the second that began then. */
  let controls = 0
  let controlsSince = Number.NEGATIVE_INFINITY
  let output: Array<Uint8Array> = []

  const step = (event: TelnetSession.SessionEvent): void => {
    const [next, actions] = TelnetSession.step(state, event, policy)
    state = next
    decoder.isBinary = TelnetSession.isOn(state, "Remote", TelnetWire.option.binary)
    for (const action of actions) {
      if (action._tag === "Send") output.push(TelnetWire.negotiation(action.verb, action.option))
      else inputs.push(action)
    }
    const side =
      event._tag === "Want" ? event.side : event.verb === "will" || event.verb === "wont" ? "Remote" : "Local"
    const key = `${side} ${event.option}`
    const waiter = waiting.get(key)
    if (waiter !== undefined && TelnetSession.isSettledFor(state, side, event.option)) {
      waiting.delete(key)
      Deferred.doneUnsafe(waiter, Effect.void)
    }
  }

  const onEvent = (event: TelnetWire.Event): void => {
    // What comes behind one too many is not heard.
    if (controls > controlsPerSecondMax) return
    if (event._tag !== "Data" && ++controls > controlsPerSecondMax) return
    if (event._tag !== "Negotiation") inputs.push(event)
    else step({ _tag: "Received", verb: event.verb, option: event.option })
  }

  /** All that is to be answered leaves at once. */
  const flush = Effect.suspend(() => {
    if (output.length === 0) return Effect.void
    const bytes = output.length === 1 ? output[0]! : Buffer.concat(output)
    output = []
    return transport.send(bytes)
  })

  const release = Effect.sync(() => {
    for (const waiter of waiting.values()) Deferred.doneUnsafe(waiter, Effect.void)
    waiting.clear()
  })

  const more = transport.receive.pipe(
    Effect.tapError(() => release),
    Effect.flatMap((bytes) =>
      Effect.clockWith((clock) => {
        const now = clock.currentTimeMillisUnsafe()
        if (Math.abs(now - controlsSince) >= 1_000) [controls, controlsSince] = [0, now]
        decoder.push(bytes, onEvent)
        return flush
      })
    ),
    Pull.catchDone(() =>
      Effect.suspend(() => {
        decoder.finish(onEvent)
        return inputs.length === 0 ? Cause.done() : Effect.void
      })
    )
  )

  const failureOf = (): TelnetError | undefined =>
    controls > controlsPerSecondMax
      ? new TelnetError({ reason: new TooManyControls({ limit: controlsPerSecondMax }) })
      : decoder.failure

  const receive: Telnet["receive"] = Effect.suspend(() => {
    const input = inputs.shift()
    if (input !== undefined) return Effect.succeed(input)
    const failure = failureOf()
    return failure === undefined
      ? Effect.andThen(more, receive)
      : Effect.andThen(release, Effect.fail(failure))
  })

  const want: Telnet["want"] = (side, option, on) =>
    Effect.suspend(() => {
      step({ _tag: "Want", side, option, on })
      return flush
    })

  const isOn: Telnet["isOn"] = (side, option) => TelnetSession.isOn(state, side, option)

  return {
    transport,
    receive,
    send: (data) => transport.send(TelnetWire.escape(data, isOn("Local", TelnetWire.option.binary))),
    command: (code) => transport.send(TelnetWire.command(code)),
    subnegotiate: (option, bytes) => transport.send(TelnetWire.subnegotiation(option, bytes)),
    isOn,
    want,
    ask: Effect.fnUntraced(function* (side, option, on) {
      yield* want(side, option, on)
      if (!TelnetSession.isSettledFor(state, side, option)) {
        const key = `${side} ${option}`
        const waiter = waiting.get(key) ?? Deferred.makeUnsafe<void>()
        waiting.set(key, waiter)
        yield* Deferred.await(waiter)
      }
      return TelnetSession.isSettledFor(state, side, option) && isOn(side, option) === on
    })
  }
}

/** A protocol over telnet. */
export const over =
  (options?: Options) =>
  <E, R>(protocol: Protocol<Telnet, E, R>): Protocol<Transport, E, R> =>
  (transport) =>
    Effect.suspend(() => protocol(make(transport, options)))
