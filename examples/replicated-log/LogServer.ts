/** A node: it listens to the others and to clients, and does what the rules say, one thing after another. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import { Lines } from "spindle/framing"
import { Server } from "spindle/protocol"
import { type Datagram, Endpoint, Reactor } from "spindle/reactor"
import type { Place } from "./LogPlaces.ts"
import type { Rules } from "./LogRules.ts"
import * as LogSession from "./LogSession.ts"
import type { Action, Event, Moment } from "./LogState.ts"
import * as LogStore from "./LogStore.ts"
import * as LogWire from "./LogWire.ts"

export interface Options {
  /** Which of the nodes it is. */
  readonly self: Place
  readonly nodes: ReadonlyArray<Place>
  /** The file of its journal. */
  readonly path: string
  readonly rules: Rules
  /** Where it listens. Default: all IPv4 interfaces. */
  readonly interface?: string | undefined
}

/** More than this waits for nothing: it is asked again. */
const eventsMax = 1_000
const lineBytesMax = 4_096

const momentBy = ({ clock }: Rules): Effect.Effect<Moment> =>
  Effect.zipWith(
    clock === "wall" ? Clock.currentTimeNanos : Clock.monotonicTimeNanos,
    Random.next,
    (nanos, chance) => ({ now: Number(nanos) / 1e6, chance })
  )

/** Runs until its disk fails, or its port cannot be had. Whoever starts it anew has what it knew. */
export const run = Effect.fn("LogServer.run")(function* (options: Options) {
  const { interface: on = "0.0.0.0", nodes, path, rules, self } = options
  const reactor = yield* Reactor.Reactor
  const store = yield* LogStore.open(path)
  const port = yield* reactor.datagram(Endpoint.udp({ port: self.port, interface: on }))
  const others = nodes.filter(({ name }) => name !== self.name)
  const peers = new Map<string, NetAddress.SocketAddress>()
  for (const { host, name, port } of others) {
    const [address] = yield* reactor.resolve(host, { family: "IPv4" })
    peers.set(name, NetAddress.inetAddressUnsafe(address, port))
  }
  const events = yield* Queue.dropping<Event>(eventsMax)
  const clients = new Map<number, Deferred.Deferred<LogWire.Answer>>()

  yield* Server.make(
    Endpoint.tcp({ port: self.port, interface: on }),
    Lines.over({ anyNewline: true, lineBytesMax })(conversation(events, clients)),
    { name: `clients of ${self.name}`, drainTimeout: "100 millis" }
  )

  const perform = doing({ store, port, peers, clients, syncs: rules.syncs })
  const names = nodes.map(({ name }) => name)
  const moment = momentBy(rules)
  const ruling = Effect.gen(function* () {
    let state = LogSession.make(self.name, names, rules, store.kept, yield* moment)
    const happens = Effect.fnUntraced(function* (event: Event) {
      const [next, actions] = LogSession.step(state, event, yield* moment)
      state = next
      yield* perform(actions)
    })
    while (true) {
      const { now } = yield* moment
      const event = yield* Effect.timeoutOption(Queue.take(events), Math.max(0, state.wakesAt - now))
      if (Option.isSome(event)) yield* happens(event.value)
      // However much happens: what is due is done.
      yield* happens({ _tag: "Awake" })
    }
  })
  return yield* Effect.raceFirst(ruling, hearing(port, events))
}, Effect.scoped)

/** What the others say. A datagram that is none of theirs, or was lost, is nothing. */
const hearing = (port: Datagram.Datagram, events: Queue.Queue<Event>) =>
  port.receiveEach(
    (batch) =>
      Effect.sync(() => {
        for (const { bytes } of batch) {
          const message = LogWire.decode(bytes)
          if (message !== undefined) Queue.offerUnsafe(events, { _tag: "Heard", message })
        }
      }),
    { onError: (error) => Effect.logDebug("a datagram was lost", error) }
  )

/** A client asks, a line at a time, and waits for the answer. */
const conversation = (
  events: Queue.Queue<Event>,
  clients: Map<number, Deferred.Deferred<LogWire.Answer>>
) => {
  let count = 0
  const answer = Effect.fnUntraced(function* (request: LogWire.Request) {
    const client = count++
    const deferred = yield* Deferred.make<LogWire.Answer>()
    clients.set(client, deferred)
    if (!Queue.offerUnsafe(events, { _tag: "Asked", client, request })) return LogWire.later
    return yield* Effect.ensuring(
      Deferred.await(deferred),
      Effect.sync(() => clients.delete(client))
    )
  })
  return (lines: Lines.Lines) =>
    lines.receiveEach((line) =>
      Effect.flatMap(
        Result.match(LogWire.parseRequest(line), {
          onFailure: (reason) => Effect.succeed<LogWire.Answer>({ _tag: "Refused", reason }),
          onSuccess: answer
        }),
        (answered) => lines.send(LogWire.formatAnswer(answered))
      )
    )
}

interface Means {
  readonly store: LogStore.LogStore
  readonly port: Datagram.Datagram
  readonly peers: ReadonlyMap<string, NetAddress.SocketAddress>
  readonly clients: ReadonlyMap<number, Deferred.Deferred<LogWire.Answer>>
  readonly syncs: boolean
}

/** Does what a step says, in its order. Before anything is said, what was written is synced, all of it at once. */
const doing = ({ clients, peers, port, store, syncs }: Means) => {
  let isSynced = true
  const synced = Effect.suspend(() => {
    if (isSynced || !syncs) return Effect.void
    isSynced = true
    return store.sync
  })
  return Effect.fnUntraced(function* (actions: ReadonlyArray<Action>) {
    for (const action of actions) {
      switch (action._tag) {
        case "Save":
          isSynced = false
          yield* store.write(action.change)
          break
        case "Send":
          yield* synced
          // What is lost is said again, with what is new by then.
          yield* Effect.ignore(port.send(LogWire.encode(action.message), peers.get(action.to)))
          break
        case "Answer": {
          yield* synced
          const client = clients.get(action.client)
          if (client !== undefined) yield* Deferred.succeed(client, action.answer)
          break
        }
        case "Tell":
          yield* Effect.log(action.text)
      }
    }
  })
}
