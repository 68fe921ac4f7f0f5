/** Chains of 100,000, however they are built: nothing overflows, and the work grows with their length. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Deferred from "../../src/result/Deferred.ts"
import { cpuMillis } from "../defects/cpuTime.ts"
import { clean, is, reported, wordOf } from "./deferreds.ts"

type Handle = Deferred.Deferred<number>
type Build = (deferreds: Deferred.DeferredScope, length: number) => Handle

const length = 100_000
const times = <A>(count: number, make: (index: number) => A): Array<A> =>
  Array.from({ length: count }, (_, i) => make(i))

/** Each makes a chain of a length and gives its last handle, which has that length as its value. */
const ways: Readonly<Record<string, Build>> = {
  "callbacks added, then fired": (deferreds, length) => {
    const first = deferreds.make<number>()
    let last: Handle = first
    for (let i = 0; i < length; i++) last = last.addCallback((n) => n + 1)
    first.callback(0)
    return last
  },
  "fired, then callbacks added": (deferreds, length) => {
    let last: Handle = deferreds.succeed(0)
    for (let i = 0; i < length; i++) last = last.addCallback((n) => n + 1)
    return last
  },
  "handles in handles, the innermost first": (deferreds, length) => {
    const first = deferreds.make<number>()
    let last: Handle = first
    for (let i = 0; i < length; i++) {
      const inner = last
      last = deferreds.succeed(0).addCallback(() => inner.addCallback((n) => n + 1))
    }
    first.callback(0)
    return last
  },
  "handles in handles, the outermost first": (deferreds, length) => {
    const sources = times(length, () => deferreds.make<void>())
    const handles: Array<Handle> = []
    sources.forEach((source, i) =>
      handles.push(source.addCallback(() => (i + 1 < length ? handles[i + 1]!.addCallback((n) => n + 1) : 1)))
    )
    for (const source of sources) source.callback()
    return handles[0]!
  },
  "handles in handles, from the inside": (deferreds, length) => {
    const sources = times(length, () => deferreds.make<void>())
    const handles: Array<Handle> = []
    sources.forEach((source, i) =>
      handles.push(source.addCallback(() => (i + 1 < length ? handles[i + 1]!.addCallback((n) => n + 1) : 1)))
    )
    for (const source of sources.reverse()) source.callback()
    return handles[0]!
  },
  "long chains that wait for a long chain": (deferreds, length) => {
    // What looks for a circle must not walk the long chain for each of those who come to it.
    const first = deferreds.make<number>()
    let long: Handle = first
    for (let i = 0; i < length / 2; i++) long = long.addCallback((n) => n + 1)
    const tail = long
    for (let i = 0; i < length / 2; i++) {
      const source = deferreds.make<void>()
      const waiting = source.addCallback(() => tail)
      waiting.addCallback(() => {})
      source.callback()
    }
    first.callback(length / 2)
    return tail
  },
  "a function that calls itself in a callback, with results that are there": (deferreds, length) => {
    const count = (n: number): Handle =>
      deferreds.succeed(n).addCallback((n): number | Handle => (n === length ? n : count(n + 1)))
    return count(0)
  },
  "a function that calls itself in a callback, with results that come": (deferreds, length) => {
    let fire = () => {}
    const tick = (): Deferred.Deferred<void> => {
      const d = deferreds.make<void>()
      fire = () => void d.callback()
      return d
    }
    const count = (n: number): Handle =>
      tick().addCallback((): number | Handle => (n === length ? n : count(n + 1)))
    const last = count(0)
    while (!last.fired) fire()
    return last
  },
  "each fired by a callback of the one before": (deferreds, length) => {
    const all = times(length + 1, () => deferreds.make<number>())
    all.slice(1).forEach((next, i) => all[i]!.addCallback((n) => void next.callback(n + 1)))
    all[0]!.callback(0)
    return all[length]!
  },
  chain: (deferreds, length) => {
    const all = times(length + 1, () => deferreds.make<number>())
    all.slice(1).forEach((next, i) => all[i]!.chain(next))
    all[0]!.callback(length)
    return all[length]!
  },
  "lists of one": (deferreds, length) => {
    const first = deferreds.make<number>()
    let last: Handle = first
    for (let i = 0; i < length; i++) last = deferreds.list([last]).addCallback(() => i + 1)
    first.callback(0)
    return last
  },
  effects: (deferreds, length) => {
    const first = deferreds.make<number>()
    let last: Handle = first
    for (let i = 0; i < length; i++) last = last.addCallback((n) => Effect.succeed(n + 1))
    first.callback(0)
    return last
  },
  "fibers that wait, and fire": (deferreds, length) => {
    const all = times(length + 1, () => deferreds.make<number>())
    all
      .slice(1)
      .forEach((next, i) =>
        deferreds.fromEffect(
          Effect.flatMap(all[i]!.await, (n) => Effect.asVoid(Effect.exit(next.callback(n + 1))))
        )
      )
    all[0]!.callback(0)
    return all[length]!
  }
}

describe("a chain of 100,000", () => {
  for (const [name, build] of Object.entries(ways)) {
    it.effect(name, () =>
      clean(Effect.map(Deferred.scope, (deferreds) => is(build(deferreds, length), String(length))))
    )
  }

  it.effect("is cancelled from its end", () =>
    clean(
      Effect.map(Deferred.scope, (deferreds) => {
        let cancelled = 0
        let last: Handle = deferreds.make<number>({ canceller: () => void cancelled++ })
        for (let i = 0; i < length; i++) {
          const inner = last
          last =
            i % 2 === 0
              ? inner.addCallback((n) => n + 1)
              : deferreds.succeed(0).addCallback(() =>
                  deferreds
                    .gatherResults([inner])
                    .addCallback(([n]) => n)
                    .addErrback(() => 0)
                )
        }
        last.cancel()
        assert.strictEqual(cancelled, 1)
        is(last, "interrupt")
      })
    )
  )

  it.effect("is cancelled by the end of its scope", () =>
    clean(
      Effect.gen(function* () {
        let last: Handle | undefined
        yield* Effect.scoped(
          Effect.map(Deferred.scope, (deferreds) => {
            last = deferreds.make<number>()
            for (let i = 0; i < length; i++) last = last.addCallback((n) => n + 1)
          })
        )
        is(last!, "interrupt")
      })
    )
  )

  it.effect("of those who wait for one, in any order, is told and left in time", () =>
    clean(
      Effect.map(Deferred.scope, (deferreds) => {
        const d = deferreds.make<number>()
        const waiting = times(length, () => d.addCallback((n) => n))
        for (const handle of waiting.filter((_, i) => i % 3 === 0)) handle.cancel()
        d.callback(1)
        is(waiting[0]!, "interrupt")
        is(waiting[1]!, "1")
        is(waiting[length - 2]!, "1")
      })
    )
  )
})

describe("work grows with the length", () => {
  // A long chain costs what short ones of the same length in all do; more by what it leaves to the collector: up to
  // three times as much was seen. A quadratic way costs up to 32 times as much.
  const parts = 32
  const factorMax = 6
  const short = length / 100
  const long = short * parts

  /** Processor time for `count` chains of a length, each in a scope of its own, whose end is a part of it. */
  const work = (build: Build, length: number, count: number) =>
    Effect.gen(function* () {
      const before = cpuMillis()
      for (let i = 0; i < count; i++) {
        yield* Effect.scoped(Effect.map(Deferred.scope, (deferreds) => void build(deferreds, length)))
      }
      return cpuMillis() - before
    })

  for (const [name, build] of Object.entries(ways)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        // Compiled before it is measured; and any run may meet the collector at work for others.
        yield* work(build, short, parts)
        let least = Infinity
        for (let run = 0; run < 6 && least > factorMax; run++) {
          const apart = yield* work(build, short, parts)
          least = Math.min(least, (yield* work(build, long, 1)) / apart)
        }
        assert.isBelow(least, factorMax)
      })
    )
  }
})

describe("a circle is refused", () => {
  const circle = /die SelfChained: a Deferred waits for itself/
  const refused = (
    name: string,
    build: (deferreds: Deferred.DeferredScope) => Deferred.Deferred<unknown, unknown>
  ) =>
    // Not clean: whoever is in the circle beside this handle has failed, too.
    it.effect(name, () =>
      Effect.asVoid(
        reported(
          Effect.map(Deferred.scope, (deferreds) => assert.match(wordOf(build(deferreds).poll()), circle))
        )
      )
    )

  refused("a callback that returns its own handle", (deferreds) => {
    const d = deferreds.make<void>()
    const handle: Deferred.Deferred<unknown, unknown> = d.addCallback((): unknown => handle)
    d.callback()
    return handle
  })

  refused("a callback that returns one made of its own handle", (deferreds) => {
    const d = deferreds.make<void>()
    const handle: Deferred.Deferred<unknown, unknown> = d.addCallback((): unknown =>
      handle.addCallback(() => 1).addErrback(() => 2)
    )
    d.callback()
    return handle
  })

  refused("two callbacks that return each other's handle", (deferreds) => {
    const a = deferreds.make<void>()
    const b = deferreds.make<void>()
    const first: Deferred.Deferred<unknown, unknown> = a.addCallback((): unknown => second)
    const second: Deferred.Deferred<unknown, unknown> = b.addCallback((): unknown => first)
    a.callback()
    b.callback()
    assert.match(wordOf(first.poll()), circle)
    return second
  })

  refused("a callback that returns a list with its own handle", (deferreds) => {
    const d = deferreds.make<void>()
    const handle: Deferred.Deferred<unknown, unknown> = d.addCallback((): unknown =>
      deferreds.gatherResults([deferreds.make(), handle.addCallback(() => 1)]).addCallback(() => 2)
    )
    d.callback()
    return handle
  })

  refused("one that is chained to itself", (deferreds) => {
    const d = deferreds.make<number>()
    return d.chain(d)
  })

  refused("one that is chained to what waits for it", (deferreds) => {
    const a = deferreds.make<number>()
    const b = deferreds.make<number>()
    a.addCallback((n) => n).chain(b)
    return b.addCallback((n) => n).chain(a)
  })

  it.effect("but what only looks like one is none", () =>
    clean(
      Effect.map(Deferred.scope, (deferreds) => {
        const d = deferreds.make<void>()
        const other = deferreds.make<number>()
        const handle = d.addCallback(() => other.addCallback((n) => n + 1))
        const sibling = d.addCallback(() => handle)
        d.callback()
        other.callback(1)
        is(sibling, "2")
      })
    )
  )
})
