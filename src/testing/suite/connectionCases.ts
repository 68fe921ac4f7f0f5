import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import { receiveAll, takeText } from "./bytes.ts"
import { equal } from "./check.ts"
import { type MakePair, pairCase, type PairSubject } from "./PairCase.ts"

/** What a connection is, and that many of them are no burden. */
export const connectionCases = [
  pairCase(
    "each side's local address is the other one's peer",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const format = NetAddress.formatSocketAddress
      equal(format(left.local), format(right.peer), "left.local and right.peer")
      equal(format(right.local), format(left.peer), "right.local and left.peer")
    }),
    { needs: ["Addresses"] }
  ),

  pairCase(
    "the addresses stay known after the connection is gone",
    Effect.fnUntraced(function* (pair: MakePair) {
      const { left, right } = yield* pair()
      const format = NetAddress.formatSocketAddress
      const before = [left, right].flatMap((transport) => [format(transport.local), format(transport.peer)])
      yield* right.abort
      yield* Effect.exit(left.receive)
      const after = [left, right].flatMap((transport) => [format(transport.local), format(transport.peer)])
      equal(after.join(" "), before.join(" "), "the addresses")
    })
  ),

  pairCase(
    "security says what protects it",
    Effect.fnUntraced(function* (pair: MakePair, subject: PairSubject) {
      const { left, right } = yield* pair()
      equal(left.security._tag, subject.security ?? "Plain", "the left side's security")
      equal(right.security._tag, subject.security ?? "Plain", "the right side's security")
    })
  ),

  pairCase(
    "200 connections, one after another, leave nothing behind",
    Effect.fnUntraced(function* (pair: MakePair) {
      for (let i = 0; i < 200; i++) {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { left, right } = yield* pair()
            yield* left.send("x")
            yield* left.end
            equal((yield* receiveAll(right)).length, 1, "bytes received")
          })
        )
      }
    }),
    { once: true }
  ),

  pairCase(
    "50 connections at once do not mix",
    Effect.fnUntraced(function* (pair: MakePair) {
      const talk = Effect.fnUntraced(function* (id: number) {
        const { left, right } = yield* pair()
        const word = `connection ${id};`
        for (let i = 0; i < 20; i++) {
          yield* left.send(word)
          yield* right.send(word)
          equal(yield* takeText(right, word.length), word, "what the right side received")
          equal(yield* takeText(left, word.length), word, "what the left side received")
        }
      })
      yield* Effect.forEach(
        Array.from({ length: 50 }, (_, id) => id),
        (id) => Effect.scoped(talk(id)),
        {
          concurrency: "unbounded",
          discard: true
        }
      )
    }),
    { once: true }
  )
]
