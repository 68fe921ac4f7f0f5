import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Reactor } from "../../reactor/Reactor.ts"
import { receiveAll, takeText, text } from "./bytes.ts"
import { equal, isDone, listenFails, turns, until } from "./check.ts"
import { accepting, connecting, reactorCase, type ReactorSubject, serving } from "./ReactorCase.ts"

const fork = { startImmediately: true } as const

/** Taking the connections that come. */
export const acceptingCases = [
  reactorCase(
    "a connection is accepted, and both sides talk",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      const { accepted } = yield* accepting(listener)
      const { transport: client } = yield* connecting(subject.client(listener.address))
      const server = yield* accepted
      yield* client.send("hello")
      equal(yield* takeText(server, 5), "hello", "what the server received")
      yield* server.send("world")
      equal(yield* takeText(client, 5), "world", "what the client received")
    })
  ),

  reactorCase(
    "the server may speak first, and close",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      const count = yield* serving(listener, (transport) => transport.send("220 ready"))
      for (let i = 0; i < 5; i++) {
        const { transport, close } = yield* connecting(subject.client(listener.address))
        equal(text(yield* receiveAll(transport)), "220 ready", "the greeting")
        yield* close
      }
      equal(count.accepted, 5, "connections")
    })
  ),

  reactorCase(
    "connections that come before acceptEach wait, with what they sent",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      const sent: Array<string> = []
      for (let i = 0; i < 5; i++) {
        const { transport } = yield* connecting(subject.client(listener.address))
        yield* transport.send(`early ${i}`)
        sent.push(`early ${i}`)
      }
      yield* turns(20)
      const { accepted } = yield* accepting(listener)
      const received: Array<string> = []
      for (let i = 0; i < 5; i++) received.push(yield* takeText(yield* accepted, 7))
      equal(received.toSorted().join(), sent.join(), "what the connections sent")
    })
  ),

  reactorCase(
    "connections wait for acceptEach up to the backlog, no more",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server({ backlog: 2 }))
      const attempts = yield* Effect.forEach(Array.from({ length: 10 }), () =>
        Effect.forkScoped(
          Effect.exit(connecting(subject.client(listener.address, { timeout: "500 millis" }))),
          fork
        )
      )
      yield* turns(100)
      const count = yield* serving(listener, receiveAll)
      equal(count.accepted, 2, "connections that waited")
      yield* Fiber.interruptAll(attempts)
      yield* listener.stop
    })
  ),

  reactorCase(
    "a second acceptEach fails, the first goes on unharmed",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      const { accepted } = yield* accepting(listener)
      const second = listener.acceptEach(() => {})
      yield* listenFails(second, "AlreadyListened", "a second acceptEach")
      const { transport } = yield* connecting(subject.client(listener.address))
      yield* transport.send("x")
      equal(yield* takeText(yield* accepted, 1), "x", "what the first one accepted")
    })
  ),

  reactorCase(
    "acceptEach can be interrupted and taken up again",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      for (let i = 0; i < 3; i++) {
        const fiber = yield* Effect.forkChild(
          listener.acceptEach(() => {}),
          fork
        )
        yield* turns(i)
        yield* Fiber.interrupt(fiber)
      }
      const { transport } = yield* connecting(subject.client(listener.address))
      yield* transport.send("between")
      const { accepted } = yield* accepting(listener)
      equal(yield* takeText(yield* accepted, 7), "between", "the connection that came between")
    })
  ),

  reactorCase(
    "stop ends the connections that nobody accepted",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      const { transport, close } = yield* connecting(subject.client(listener.address))
      yield* turns(20)
      yield* listener.stop
      // A reset or an end, but not silence.
      yield* Effect.exit(receiveAll(transport))
      yield* close
    })
  ),

  reactorCase(
    "1,000 connections, opened and closed one after another",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      const count = yield* serving(listener, (transport) => transport.receiveEach(transport.send))
      for (let i = 0; i < 1_000; i++) {
        const { transport, close } = yield* connecting(subject.client(listener.address))
        if (i % 4 !== 0) {
          yield* transport.send("x")
          equal(yield* takeText(transport, 1), "x", `the echo of connection ${i}`)
        }
        if (i % 4 === 3) yield* transport.abort
        yield* close
      }
      yield* until(() => count.open === 0, "all connections are closed on the server's side, too")
    })
  ),

  reactorCase(
    "200 connections at once are all accepted",
    Effect.fnUntraced(function* (subject: ReactorSubject) {
      const reactor = yield* Reactor
      const listener = yield* reactor.listen(yield* subject.server())
      const { accepted } = yield* accepting(listener)
      const clients = yield* Effect.forEach(
        Array.from({ length: 200 }),
        () => connecting(subject.client(listener.address)),
        { concurrency: "unbounded" }
      )
      for (const { transport } of clients) yield* Effect.andThen(transport.send("x"), transport.end)
      for (let i = 0; i < clients.length; i++) {
        const server = yield* accepted
        equal(yield* takeText(server, 1), "x", "what a server received")
        yield* isDone(server.receive, "a server's receive")
      }
    })
  )
]
