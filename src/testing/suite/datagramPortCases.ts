import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Message } from "../../reactor/Datagram.ts"
import { unsentMax } from "../../reactor/DatagramPort.ts"
import { text } from "./bytes.ts"
import { equal, isPending, listenFails, that, turn, turns, until } from "./check.ts"
import {
  collect,
  datagramCase,
  datagramFails,
  hears,
  inOrder,
  numbered,
  numbersOf,
  type Ports,
  portOf,
  receive,
  texts
} from "./DatagramCase.ts"

const fork = { startImmediately: true } as const

/** One receiver, and its end. */
const receiverCases = [
  datagramCase(
    "a second receiver is Busy, whichever way the first one receives",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const [a, b] = [yield* open(), yield* open()]
      const busy = Effect.fnUntraced(function* () {
        yield* datagramFails(receive(b), "receive", "Busy", "receive")
        yield* datagramFails(
          b.receiveEach(() => Effect.void),
          "receive",
          "Busy",
          "receiveEach"
        )
      })
      const pull = yield* Effect.forkChild(receive(b), fork)
      yield* busy()
      yield* a.send("1", b.local)
      equal(texts(yield* Fiber.join(pull)), "1", "what the first one received")
      let taken = false
      const loop = yield* Effect.forkChild(
        b.receiveEach(() =>
          Effect.andThen(
            Effect.sync(() => (taken = true)),
            Effect.never
          )
        ),
        fork
      )
      yield* busy()
      yield* a.send("2", b.local)
      yield* until(() => taken, "the loop runs")
      yield* busy()
      yield* Fiber.interrupt(loop)
      yield* a.send("3", b.local)
      yield* hears(b, "3", "what came after the loop")
    })
  ),

  datagramCase(
    "interrupting a receiver loses nothing",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const [a, b] = [yield* open(), yield* open()]
      const got: Array<number> = []
      const take = (batch: ReadonlyArray<Message>) => Effect.sync(() => void got.push(...numbersOf(batch)))
      for (let i = 0; i < 200; i++) {
        const one = yield* Effect.forkChild(
          i % 2 === 0 ? Effect.flatMap(receive(b), take) : b.receiveEach(take),
          fork
        )
        yield* a.send(String(i), b.local)
        yield* turns(i % 3)
        yield* Fiber.interrupt(one)
      }
      yield* Effect.forkScoped(b.receiveEach(take), fork)
      yield* until(() => got.length === 200, "all come")
      inOrder(got, "what came")
    })
  ),

  datagramCase(
    "while an effect runs datagrams wait, and come as the next batch; its failure ends the loop, not the port",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const [a, b] = [yield* open(), yield* open()]
      const batches: Array<string> = []
      let held = true
      const loop = yield* Effect.forkChild(
        b.receiveEach((batch) => {
          batches.push(texts(batch))
          return batches.length === 1
            ? Effect.whileLoop({ while: () => held, body: () => turn, step: () => {} })
            : Effect.fail("enough")
        }),
        fork
      )
      yield* a.send("1", b.local)
      yield* until(() => batches.length === 1, "the first batch")
      yield* a.sendAll(numbered(2, b.local, 2))
      yield* turns(300)
      that(isPending(loop), "the loop is over")
      held = false
      const exit = yield* Fiber.await(loop)
      that(Exit.isFailure(exit), "the loop did not fail")
      equal(batches.join(", "), "1, 2 3", "the batches")
      yield* a.send("4", b.local)
      yield* hears(b, "4", "what came after the loop")
    })
  ),

  datagramCase(
    "closing fails who waits and who comes as Closed, and frees the address",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const scope = yield* Scope.make()
      const [port, other] = [yield* Scope.provide(open(), scope), yield* open()]
      const receiver = yield* Effect.forkChild(receive(port), fork)
      const sender = yield* Effect.forkChild(port.sendAll(numbered(3 * unsentMax, other.local)), fork)
      const senderWaits = isPending(sender)
      yield* Scope.close(scope, Exit.void)
      yield* datagramFails(Fiber.join(receiver), "receive", "Closed", "the receiver that waited")
      if (senderWaits) yield* datagramFails(Fiber.join(sender), "send", "Closed", "the sender that waited")
      yield* datagramFails(receive(port), "receive", "Closed", "receive")
      yield* datagramFails(
        port.receiveEach(() => Effect.void),
        "receive",
        "Closed",
        "receiveEach"
      )
      yield* datagramFails(port.send("x", other.local), "send", "Closed", "send")
      yield* datagramFails(port.sendAll(numbered(1, other.local)), "send", "Closed", "sendAll")
      yield* datagramFails(port.multicast.setTtl(1), "configure", "Closed", "setTtl")
      const again = yield* open({ port: portOf(port) })
      equal(portOf(again), portOf(port), "the port that is open again")
    })
  ),

  datagramCase(
    "an effect may close the port that it receives from, in the middle of a flood",
    Effect.fnUntraced(function* ({ open }: Ports) {
      for (const answers of [false, true]) {
        const scope = yield* Scope.make()
        const [port, other] = [yield* Scope.provide(open(), scope), yield* open()]
        yield* other.sendAll(numbered(200, port.local))
        const close = Scope.close(scope, Exit.void)
        yield* datagramFails(
          port.receiveEach((batch) => (answers ? Effect.andThen(port.sendAll(batch), close) : close)),
          "receive",
          "Closed",
          "the loop"
        )
      }
    })
  )
]

/** A port that talks to one peer. */
const connectedCases = [
  datagramCase(
    "a connected port names its peer, and takes no other",
    Effect.fnUntraced(function* ({ interface: host, open }: Ports) {
      const [server, stranger] = [yield* open(), yield* open()]
      const client = yield* open({ connect: { host, port: portOf(server) } })
      that(Equal.equals(client.peer, server.local), `the peer is ${server.local}, not ${client.peer}`)
      yield* stranger.sendAll(numbered(5, client.local))
      yield* server.sendAll(numbered(3, client.local))
      yield* hears(client, "0 1 2", "what the client received")
      yield* client.sendAll([{ bytes: "unnamed" }, { bytes: "named", peer: server.local }])
      yield* hears(server, "unnamed named", "what the server received")
      yield* datagramFails(client.send("x", stranger.local), "send", "InvalidAddress", "sending elsewhere")
    })
  ),

  datagramCase(
    "where nobody listens, a connected port's receive fails as Refused, and it lives on",
    Effect.fnUntraced(function* ({ interface: host, open }: Ports) {
      const number = portOf(yield* Effect.scoped(open()))
      const client = yield* open({ connect: { host, port: number } })
      yield* client.send("nobody hears")
      const error = yield* datagramFails(receive(client), "receive", "Refused", "receive")
      that(Equal.equals(error.peer, client.peer), "the error does not say by whom")
      const server = yield* open({ port: number })
      yield* client.sendAll([{ bytes: "now" }, { bytes: "really" }])
      const [message] = yield* hears(server, "now really", "what the server received")
      yield* server.send("yes", message!.peer)
      yield* hears(client, "yes", "the answer")
    })
  ),

  datagramCase(
    "receiveEach goes on after onError",
    Effect.fnUntraced(function* ({ interface: host, open }: Ports) {
      const number = portOf(yield* Effect.scoped(open()))
      const client = yield* open({ connect: { host, port: number } })
      const heard: Array<string> = []
      yield* Effect.forkScoped(
        client.receiveEach((batch) => Effect.sync(() => void heard.push(texts(batch))), {
          onError: (error) => Effect.sync(() => void heard.push(error.reason._tag))
        }),
        fork
      )
      yield* client.send("x")
      yield* until(() => heard.length > 0, "the refusal")
      const server = yield* open({ port: number })
      yield* server.send("y", client.local)
      yield* until(() => heard.length > 1, "what came after it")
      equal(heard.join(", "), "Refused, y", "what was heard")
    })
  ),

  datagramCase(
    "a port that talks to everybody is told of no refusal",
    Effect.fnUntraced(function* ({ at, open }: Ports) {
      const number = portOf(yield* Effect.scoped(open()))
      const port = yield* open()
      for (let i = 0; i < 20; i++) yield* port.send("nobody hears", at(number))
      yield* port.send("from me", port.local)
      equal(texts(yield* collect(port, 1)), "from me", "what came")
    })
  )
]

/** One port, several of those who want it. */
const sharingCases = [
  datagramCase(
    "a port is taken once; who would share it must find one that shares",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const taken = portOf(yield* open())
      yield* listenFails(open({ port: taken }), "AddressInUse", "opening it again")
      yield* listenFails(open({ port: taken, reuseAddress: true }), "AddressInUse", "with reuseAddress")
      yield* listenFails(open({ port: taken, reusePort: true }), "AddressInUse", "with reusePort")
    })
  ),

  datagramCase(
    "with reuseAddress a port is shared",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const first = yield* open({ reuseAddress: true })
      const second = yield* open({ port: portOf(first), reuseAddress: true })
      equal(portOf(second), portOf(first), "the second one's port")
      yield* listenFails(open({ port: portOf(first) }), "AddressInUse", "opening it without")
    })
  ),

  datagramCase(
    "with reusePort each datagram goes to one of those who share, those of a sender to the same",
    Effect.fnUntraced(function* ({ open }: Ports) {
      const first = yield* open({ reusePort: true })
      const sharing = [first, yield* open({ port: portOf(first), reusePort: true })]
      const heard: Array<{ readonly by: number; readonly word: string }> = []
      for (const [by, port] of sharing.entries()) {
        yield* Effect.forkScoped(
          port.receiveEach((batch) =>
            Effect.sync(() => void heard.push(...batch.map(({ bytes }) => ({ by, word: text(bytes) }))))
          ),
          fork
        )
      }
      for (let i = 0; i < 10; i++) {
        const sender = yield* open()
        yield* sender.sendAll(Array.from({ length: 5 }, () => ({ bytes: `${i}`, peer: first.local })))
      }
      yield* until(() => heard.length === 50, "all come")
      for (let i = 0; i < 10; i++) {
        const receivers = new Set(heard.filter(({ word }) => word === `${i}`).map(({ by }) => by))
        equal(receivers.size, 1, `receivers of sender ${i}`)
      }
    })
  )
]

/** Who may receive, from whom, and who may have the port. */
export const datagramPortCases = [...receiverCases, ...connectedCases, ...sharingCases]
