import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as EffectDeferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { describe, expectTypeOf, it } from "vitest"
import * as Deferred from "../../src/result/Deferred.ts"
import * as DeferredFilesystemLock from "../../src/result/DeferredFilesystemLock.ts"
import * as DeferredList from "../../src/result/DeferredList.ts"
import * as DeferredLock from "../../src/result/DeferredLock.ts"
import * as DeferredQueue from "../../src/result/DeferredQueue.ts"
import * as DeferredSemaphore from "../../src/result/DeferredSemaphore.ts"
import * as NodeFilesystemLock from "../../src/node/NodeFilesystemLock.ts"
import * as Failure from "../../src/result/Failure.ts"

class NotFound {
  readonly _tag = "NotFound"
  declare readonly name: string
}
class Denied {
  readonly _tag = "Denied"
}
class Db extends Context.Service<Db, { readonly query: Effect.Effect<string, Denied> }>()(
  "types/deferred/Db"
) {}

type D<A, E = never> = Deferred.Deferred<A, E>

declare const deferreds: Deferred.DeferredScope
declare const d: D<number, NotFound>
declare const inner: D<string, Denied>
declare const condition: boolean

describe("making", () => {
  it("has the types of what it is made of", () => {
    expectTypeOf(deferreds.make<number>()).toEqualTypeOf<Deferred.Fireable<number>>()
    expectTypeOf(deferreds.make<number, Denied>()).toExtend<D<number, Denied>>()
    expectTypeOf(deferreds.succeed(1)).toEqualTypeOf<D<number>>()
    expectTypeOf(deferreds.fail(new Denied())).toEqualTypeOf<D<never, Denied>>()
    expectTypeOf(deferreds.done({} as Exit.Exit<number, Denied>)).toEqualTypeOf<D<number, Denied>>()
    expectTypeOf(deferreds.fromEffect({} as Effect.Effect<number, Denied>)).toEqualTypeOf<D<number, Denied>>()
    expectTypeOf(deferreds.fromFiber({} as Fiber.Fiber<number, Denied>)).toEqualTypeOf<D<number, Denied>>()
    expectTypeOf(deferreds.fromDeferred({} as EffectDeferred.Deferred<number, Denied>)).toEqualTypeOf<
      D<number, Denied>
    >()
    expectTypeOf(deferreds.fromPromise(async () => 1)).toEqualTypeOf<D<number, Cause.UnknownError>>()
    // Not an effect that needs services.
    expectTypeOf<typeof Db>().not.toExtend<Parameters<typeof deferreds.fromEffect>[0]>()
  })

  it("as an effect asks for a scope, and for what its effect needs", () => {
    expectTypeOf(Deferred.scope).toEqualTypeOf<Effect.Effect<Deferred.DeferredScope, never, Scope.Scope>>()
    expectTypeOf(Deferred.make<number>()).toEqualTypeOf<
      Effect.Effect<Deferred.Fireable<number>, never, Scope.Scope>
    >()
    expectTypeOf(Deferred.succeed(1)).toEqualTypeOf<Effect.Effect<D<number>, never, Scope.Scope>>()
    expectTypeOf(Deferred.fail(new Denied())).toEqualTypeOf<
      Effect.Effect<D<never, Denied>, never, Scope.Scope>
    >()
    expectTypeOf(Deferred.done({} as Exit.Exit<number, Denied>)).toEqualTypeOf<
      Effect.Effect<D<number, Denied>, never, Scope.Scope>
    >()
    expectTypeOf(Deferred.fromEffect(Effect.flatMap(Db, (db) => db.query))).toEqualTypeOf<
      Effect.Effect<D<string, Denied>, never, Db | Scope.Scope>
    >()
    expectTypeOf(Deferred.fromPromise(async () => 1)).toEqualTypeOf<
      Effect.Effect<D<number, Cause.UnknownError>, never, Scope.Scope>
    >()
    expectTypeOf(Deferred.fromFiber({} as Fiber.Fiber<number, Denied>)).toEqualTypeOf<
      Effect.Effect<D<number, Denied>, never, Scope.Scope>
    >()
    expectTypeOf(Deferred.fromDeferred({} as EffectDeferred.Deferred<number, Denied>)).toEqualTypeOf<
      Effect.Effect<D<number, Denied>, never, Scope.Scope>
    >()
    expectTypeOf(Deferred.execute((n: number) => Effect.succeed(n), 1)).toEqualTypeOf<
      Effect.Effect<D<number, Cause.UnknownError>, never, Scope.Scope>
    >()
  })

  it("execute knows the arguments, and that it may throw", () => {
    expectTypeOf(deferreds.execute((a: number, b: string) => `${a}${b}`, 1, "x")).toEqualTypeOf<
      D<string, Cause.UnknownError>
    >()
    expectTypeOf(deferreds.execute(() => inner)).toEqualTypeOf<D<string, Denied | Cause.UnknownError>>()
    // @ts-expect-error an argument of another type
    deferreds.execute((a: number) => a, "x")
    // @ts-expect-error an argument is missing
    deferreds.execute((a: number) => a)
    // @ts-expect-error an effect that needs services
    deferreds.execute(() => Effect.flatMap(Db, (db) => db.query))
  })
})

describe("firing", () => {
  it("takes the types of the handle, and tells its error", () => {
    const fireable = deferreds.make<number, Denied>()
    expectTypeOf(fireable.callback(1)).toEqualTypeOf<Exit.Exit<void, Deferred.AlreadyFired>>()
    expectTypeOf(fireable.errback(new Denied())).toEqualTypeOf<Exit.Exit<void, Deferred.AlreadyFired>>()
    expectTypeOf(fireable.fire(Exit.succeed(1))).toEqualTypeOf<Exit.Exit<void, Deferred.AlreadyFired>>()
    deferreds.make<void>().callback()
    // @ts-expect-error another value
    fireable.callback("x")
    // @ts-expect-error a handle is no number
    fireable.callback(d)
    // @ts-expect-error another error
    fireable.errback(new NotFound())
    // @ts-expect-error it cannot fail
    deferreds.make<number>().errback("no")
    // @ts-expect-error what comes of a callback cannot be fired
    fireable.addCallback((n) => n).callback(1)
    // The canceller has the handle.
    deferreds.make<number, Denied>({
      canceller: (self) => expectTypeOf(self).toEqualTypeOf<Deferred.Fireable<number, Denied>>()
    })
  })

  it("has a handle for whoever may not fire", () => {
    const given: D<number, Denied> = deferreds.make<number, Denied>()
    // @ts-expect-error a handle cannot be fired
    given.callback(1)
    expectTypeOf(given.fired).toEqualTypeOf<boolean>()
    expectTypeOf(given.pause()).toEqualTypeOf<void>()
    expectTypeOf(given.unpause()).toEqualTypeOf<void>()
    expectTypeOf(given.cancel()).toEqualTypeOf<void>()
    const options: Deferred.Options<number, Denied> = { canceller: (self) => void self.errback(new Denied()) }
    expectTypeOf(deferreds.make(options)).toEqualTypeOf<Deferred.Fireable<number, Denied>>()
    expectTypeOf(Deferred.make(options)).toEqualTypeOf<
      Effect.Effect<Deferred.Fireable<number, Denied>, never, Scope.Scope>
    >()
  })

  it("in a generator is an effect that may fail", () => {
    const program = Effect.gen(function* () {
      yield* deferreds.make<number, Denied>().callback(1)
      return yield* d.await
    })
    expectTypeOf(program).toEqualTypeOf<Effect.Effect<number, Deferred.AlreadyFired | NotFound>>()
  })

  it("isDeferred narrows", () => {
    const some = {} as string | D<number>
    if (Deferred.isDeferred(some)) expectTypeOf(some).toEqualTypeOf<D<number>>()
    else expectTypeOf(some).toEqualTypeOf<string>()
    const any: unknown = some
    if (Deferred.isDeferred(any)) expectTypeOf(any).toEqualTypeOf<D<unknown, unknown>>()
  })

  it("is for one type, a result for all above it", () => {
    expectTypeOf<D<number, Denied>>().toExtend<D<number | string, Denied | NotFound>>()
    expectTypeOf<Deferred.Fireable<number, Denied>>().toExtend<D<unknown, unknown>>()
    expectTypeOf<D<number | string>>().not.toExtend<D<number>>()
    expectTypeOf<D<number, Denied>>().not.toExtend<D<number>>()
    expectTypeOf<Deferred.Fireable<number>>().not.toExtend<Deferred.Fireable<number | string>>()
  })
})

describe("addCallback", () => {
  it("takes a value, and keeps the error", () => {
    expectTypeOf(d.addCallback((n) => String(n))).toEqualTypeOf<D<string, NotFound>>()
    expectTypeOf(d.addCallback(() => 1)).toEqualTypeOf<D<number, NotFound>>()
    expectTypeOf(d.addCallback(() => {})).toEqualTypeOf<D<void, NotFound>>()
    expectTypeOf(d.addCallback(() => undefined)).toEqualTypeOf<D<undefined, NotFound>>()
    expectTypeOf(d.addCallback((n) => [n, "x"] as const)).toEqualTypeOf<D<readonly [number, "x"], NotFound>>()
    expectTypeOf(
      d.addCallback((): never => {
        throw new Error()
      })
    ).toEqualTypeOf<D<never, NotFound>>()
    expectTypeOf(d.addCallback(String)).toEqualTypeOf<D<string, NotFound>>()
  })

  it("takes a handle, an effect, an exit, a promise: value and error", () => {
    expectTypeOf(d.addCallback(() => inner)).toEqualTypeOf<D<string, NotFound | Denied>>()
    expectTypeOf(d.addCallback(() => deferreds.make<string, Denied>())).toEqualTypeOf<
      D<string, NotFound | Denied>
    >()
    expectTypeOf(d.addCallback((n) => Effect.succeed(n))).toEqualTypeOf<D<number, NotFound>>()
    expectTypeOf(d.addCallback(() => Effect.fail(new Denied()))).toEqualTypeOf<D<never, NotFound | Denied>>()
    expectTypeOf(d.addCallback(() => Exit.fail(new Denied()))).toEqualTypeOf<D<never, NotFound | Denied>>()
    expectTypeOf(d.addCallback(async (n) => n)).toEqualTypeOf<D<number, NotFound | Cause.UnknownError>>()
    const viaFunction = d.addCallback(
      Effect.fnUntraced(function* (n) {
        if (n > 0) return yield* Effect.fail(new Denied())
        return `${n}`
      })
    )
    expectTypeOf(viaFunction).toEqualTypeOf<D<string, NotFound | Denied>>()
  })

  it("takes a failure as a value, which has no value", () => {
    expectTypeOf(d.addCallback(() => Failure.fail(new Denied()))).toEqualTypeOf<D<never, NotFound | Denied>>()
    expectTypeOf(d.addCallback((n) => (condition ? n : Failure.fail(new Denied())))).toEqualTypeOf<
      D<number, NotFound | Denied>
    >()
    expectTypeOf(d.addErrback((error) => Failure.fail(error.name))).toEqualTypeOf<D<number, string>>()
  })

  it("has its rules for whoever writes functions over callbacks", () => {
    expectTypeOf<Deferred.Value<number>>().toEqualTypeOf<number>()
    expectTypeOf<Deferred.Value<typeof d | Promise<string>>>().toEqualTypeOf<number | string>()
    expectTypeOf<Deferred.Error<typeof d | Promise<string>>>().toEqualTypeOf<NotFound | Cause.UnknownError>()
    expectTypeOf<Deferred.Error<number>>().toEqualTypeOf<never>()
    expectTypeOf<Deferred.Provided<number | Effect.Effect<number>>>().toEqualTypeOf<unknown>()
    expectTypeOf<Deferred.Provided<Effect.Effect<number, never, Db>>>().not.toEqualTypeOf<unknown>()
    const logged = <X>(f: (n: number) => X & Deferred.Provided<X>) => d.addCallback<X>(f)
    expectTypeOf(logged(() => inner)).toEqualTypeOf<D<string, NotFound | Denied>>()
  })

  it("takes a mixture, and tells the truth about each part", () => {
    expectTypeOf(d.addCallback((n) => (condition ? n : inner))).toEqualTypeOf<
      D<number | string, NotFound | Denied>
    >()
    expectTypeOf(d.addCallback((n) => (condition ? n : Effect.fail(new Denied())))).toEqualTypeOf<
      D<number, NotFound | Denied>
    >()
    expectTypeOf(
      d.addCallback(() => (condition ? inner : condition ? Effect.succeed(1) : null))
    ).toEqualTypeOf<D<string | number | null, NotFound | Denied>>()
  })

  it("says that of the unknown anything may come, and believes an any", () => {
    expectTypeOf(d.addCallback((): unknown => 1)).toEqualTypeOf<D<unknown, unknown>>()
    expectTypeOf(d.addCallback((n) => JSON.parse(String(n)))).toEqualTypeOf<
      D<ReturnType<typeof JSON.parse>, NotFound>
    >()
  })

  it("refuses an effect that needs services", () => {
    // @ts-expect-error Db is needed
    d.addCallback(() => Effect.flatMap(Db, (db) => db.query))
    // @ts-expect-error also where it is a part
    d.addCallback((n) => (condition ? n : Effect.flatMap(Db, (db) => db.query)))
    // @ts-expect-error the other methods, too
    d.addErrback(() => Db)
    // @ts-expect-error
    d.addBoth(() => Db)
    const onError = () => Db
    // @ts-expect-error
    d.addCallbacks(() => 1, onError)
    const context = {} as Context.Context<Db>
    expectTypeOf(
      d.addCallback(() =>
        Effect.provideContext(
          Effect.flatMap(Db, (db) => db.query),
          context
        )
      )
    ).toEqualTypeOf<D<string, NotFound | Denied>>()
  })

  it("in a generic function stays what it is", () => {
    const twice = <A, E>(handle: D<A, E>, f: (a: A) => D<A, E>): D<A, E> =>
      handle.addBoth((exit) => exit) && f({} as A)
    expectTypeOf(twice(d, () => d)).toEqualTypeOf<D<number, NotFound>>()
  })
})

describe("addErrback", () => {
  it("sees the error, and takes it away", () => {
    d.addErrback((error) => expectTypeOf(error).toEqualTypeOf<NotFound>())
    expectTypeOf(d.addErrback(() => "x")).toEqualTypeOf<D<number | string>>()
    expectTypeOf(d.addErrback(() => inner)).toEqualTypeOf<D<number | string, Denied>>()
    expectTypeOf(d.addErrback((error) => Exit.fail(error.name))).toEqualTypeOf<D<number, string>>()
    deferreds.succeed(1).addErrback((error) => expectTypeOf(error).toEqualTypeOf<never>())
  })

  it("by tag takes that one away", () => {
    const both = d as D<number, NotFound | Denied>
    both.addErrbackTag("NotFound", (error) => expectTypeOf(error.name).toEqualTypeOf<string>())
    expectTypeOf(both.addErrbackTag("NotFound", ({ name }) => name)).toEqualTypeOf<
      D<number | string, Denied>
    >()
    expectTypeOf(both.addErrbackTag("Denied", () => inner)).toEqualTypeOf<
      D<number | string, NotFound | Denied>
    >()
    // @ts-expect-error no such tag
    both.addErrbackTag("Other", () => 1)
    // @ts-expect-error nothing has a tag
    deferreds.fail("text").addErrbackTag("Denied", () => 1)
    const text = d as D<number, NotFound | string>
    expectTypeOf(text.addErrbackTag("NotFound", () => 1)).toEqualTypeOf<D<number, string>>()
  })
})

describe("the others", () => {
  it("addCallbacks: each its own", () => {
    expectTypeOf(
      d.addCallbacks(
        (n) => {
          expectTypeOf(n).toEqualTypeOf<number>()
          return inner
        },
        (error) => {
          expectTypeOf(error).toEqualTypeOf<NotFound>()
          return Effect.succeed(true)
        }
      )
    ).toEqualTypeOf<D<string | boolean, Denied>>()
  })

  it("addBoth: the whole result", () => {
    d.addBoth((exit) => expectTypeOf(exit).toEqualTypeOf<Exit.Exit<number, NotFound>>())
    expectTypeOf(d.addBoth((exit) => exit)).toEqualTypeOf<D<number, NotFound>>()
    expectTypeOf(d.addBoth(() => "x")).toEqualTypeOf<D<string>>()
    expectTypeOf(d.addBoth((exit) => (condition ? exit : inner))).toEqualTypeOf<
      D<number | string, NotFound | Denied>
    >()
  })

  it("timeout adds its error, timeoutOrElse what one gives", () => {
    expectTypeOf(d.timeout("1 second")).toEqualTypeOf<D<number, NotFound | Cause.TimeoutError>>()
    expectTypeOf(d.timeoutOrElse({ duration: "1 second", orElse: () => "late" })).toEqualTypeOf<
      D<number | string, NotFound>
    >()
    expectTypeOf(d.timeoutOrElse({ duration: "1 second", orElse: () => inner })).toEqualTypeOf<
      D<number | string, NotFound | Denied>
    >()
  })

  it("chain and into fit their target", () => {
    const target = {} as Deferred.Fireable<number | string, NotFound | Denied>
    expectTypeOf(d.chain(target)).toEqualTypeOf<D<void, Deferred.AlreadyFired>>()
    // @ts-expect-error the target knows no such error
    d.chain({} as Deferred.Fireable<number>)
    // @ts-expect-error nor such a value
    d.chain({} as Deferred.Fireable<string, NotFound>)
    d.into({} as EffectDeferred.Deferred<number | string, NotFound>)
    // @ts-expect-error the target knows no such error
    d.into({} as EffectDeferred.Deferred<number>)
  })

  it("bridges keep the types", () => {
    expectTypeOf(d.await).toEqualTypeOf<Effect.Effect<number, NotFound>>()
    expectTypeOf(d.awaitOrCancel).toEqualTypeOf<Effect.Effect<number, NotFound>>()
    expectTypeOf(d.toFiber()).toEqualTypeOf<Fiber.Fiber<number, NotFound>>()
    expectTypeOf(d.toPromise()).toEqualTypeOf<Promise<number>>()
    expectTypeOf(d.poll()).toEqualTypeOf<Exit.Exit<number, NotFound> | undefined>()
  })
})

describe("many", () => {
  type Exits = [Exit.Exit<number, NotFound>, Exit.Exit<string, Denied>]
  const inputs = [d, inner] as const

  it("takes handles that are fired from outside", () => {
    const fireable = deferreds.make<number, Denied>()
    expectTypeOf(deferreds.list([fireable])).toEqualTypeOf<D<[Exit.Exit<number, Denied>]>>()
    expectTypeOf(deferreds.race([fireable, inner])).toEqualTypeOf<
      D<Deferred.Winner<number | string>, Deferred.FailureGroup<Denied>>
    >()
  })

  it("list: what the options make of it", () => {
    expectTypeOf(deferreds.list([d, inner])).toEqualTypeOf<D<Exits>>()
    expectTypeOf(deferreds.list(inputs, { consumeErrors: true })).toEqualTypeOf<D<Exits>>()
    expectTypeOf(deferreds.list([d, inner], { fireOnOneCallback: true })).toEqualTypeOf<
      D<Exits | DeferredList.FirstCallback<number | string>>
    >()
    expectTypeOf(deferreds.list([d, inner], { fireOnOneErrback: true })).toEqualTypeOf<
      D<Exits, DeferredList.FirstError<NotFound | Denied, readonly [typeof d, typeof inner]>>
    >()
    expectTypeOf(deferreds.list([d, inner], { fireOnOneErrback: false })).toEqualTypeOf<D<Exits>>()
    const options: DeferredList.ListOptions = {}
    expectTypeOf(deferreds.list([d], options)).toEqualTypeOf<
      D<
        [Exit.Exit<number, NotFound>] | DeferredList.FirstCallback<number>,
        DeferredList.FirstError<NotFound, readonly [typeof d]>
      >
    >()
    expectTypeOf(deferreds.list([] as Array<typeof d>)).toEqualTypeOf<D<Array<Exit.Exit<number, NotFound>>>>()
    expectTypeOf(DeferredList.make([d, inner])).toEqualTypeOf<Effect.Effect<D<Exits>, never, Scope.Scope>>()
    expectTypeOf(
      DeferredList.make([d, inner], { fireOnOneCallback: true, fireOnOneErrback: true })
    ).toEqualTypeOf<
      Effect.Effect<
        D<
          Exits | DeferredList.FirstCallback<number | string>,
          DeferredList.FirstError<NotFound | Denied, readonly [typeof d, typeof inner]>
        >,
        never,
        Scope.Scope
      >
    >()
    const first = {} as DeferredList.FirstCallback<number>
    expectTypeOf(first.value).toEqualTypeOf<number>()
    expectTypeOf(first.index).toEqualTypeOf<number>()
    const error = {} as DeferredList.FirstError<Denied, readonly [typeof d, typeof inner]>
    expectTypeOf(error.cause).toEqualTypeOf<Cause.Cause<Denied>>()
    expectTypeOf(error.rest).toEqualTypeOf<D<Exits>>()
    // @ts-expect-error not a handle
    deferreds.list([1])
    // @ts-expect-error no such option
    deferreds.list([d], { fireOnOne: true })
  })

  it("gatherResults: all values, or the first error and the rest", () => {
    const gathered = deferreds.gatherResults([d, inner])
    gathered.addCallback((values) => expectTypeOf(values).toEqualTypeOf<[number, string]>())
    gathered.addErrback((error) => {
      expectTypeOf(error.cause).toEqualTypeOf<Cause.Cause<NotFound | Denied>>()
      expectTypeOf(error.rest).toEqualTypeOf<D<Exits>>()
    })
    deferreds
      .gatherResults([] as ReadonlyArray<typeof d>)
      .addCallback((values) => expectTypeOf(values).toEqualTypeOf<Array<number>>())
    expectTypeOf(Deferred.gatherResults(inputs)).toEqualTypeOf<
      Effect.Effect<Deferred.Gathered<typeof inputs>, never, Scope.Scope>
    >()
  })

  it("race: any value, or all errors", () => {
    deferreds.race([d, inner]).addCallbacks(
      ({ index, value }) => {
        expectTypeOf(index).toEqualTypeOf<number>()
        expectTypeOf(value).toEqualTypeOf<number | string>()
      },
      ({ failures }) => expectTypeOf(failures).toEqualTypeOf<ReadonlyArray<Cause.Cause<NotFound | Denied>>>()
    )
    expectTypeOf(deferreds.race([d, inner])).toEqualTypeOf<
      D<Deferred.Winner<number | string>, Deferred.FailureGroup<NotFound | Denied>>
    >()
    expectTypeOf(Deferred.race([d])).toEqualTypeOf<
      Effect.Effect<D<Deferred.Winner<number>, Deferred.FailureGroup<NotFound>>, never, Scope.Scope>
    >()
  })
})

describe("the family", () => {
  it("lock and semaphore", () => {
    expectTypeOf(DeferredLock.make).toEqualTypeOf<
      Effect.Effect<DeferredLock.DeferredLock, never, Scope.Scope>
    >()
    expectTypeOf(DeferredSemaphore.make(1)).toEqualTypeOf<
      Effect.Effect<DeferredSemaphore.DeferredSemaphore, never, Scope.Scope>
    >()
    const lock = {} as DeferredLock.DeferredLock
    expectTypeOf(lock.acquire()).toEqualTypeOf<D<DeferredLock.DeferredLock>>()
    expectTypeOf(lock.release()).toEqualTypeOf<Exit.Exit<void, DeferredLock.NotAcquired>>()
    expectTypeOf(lock.run(() => inner)).toEqualTypeOf<D<string, Denied>>()
    expectTypeOf(lock.run(() => 1)).toEqualTypeOf<D<number>>()
    // @ts-expect-error an effect that needs services
    lock.run(() => Db)
    expectTypeOf(lock.locked).toEqualTypeOf<boolean>()
    const semaphore = {} as DeferredSemaphore.DeferredSemaphore
    expectTypeOf(semaphore.acquire()).toEqualTypeOf<D<DeferredSemaphore.DeferredSemaphore>>()
    expectTypeOf(semaphore.release()).toEqualTypeOf<Exit.Exit<void, DeferredSemaphore.NotAcquired>>()
    expectTypeOf(semaphore.run(async () => 1)).toEqualTypeOf<D<number, Cause.UnknownError>>()
    expectTypeOf(lock.scoped).toEqualTypeOf<Effect.Effect<void, never, Scope.Scope>>()
    expectTypeOf(lock.withToken(Effect.flatMap(Db, (db) => db.query))).toEqualTypeOf<
      Effect.Effect<string, Denied, Db>
    >()
  })

  it("queue", () => {
    expectTypeOf(DeferredQueue.make<number>({ size: 1 })).toEqualTypeOf<
      Effect.Effect<DeferredQueue.DeferredQueue<number>, never, Scope.Scope>
    >()
    const queue = {} as DeferredQueue.DeferredQueue<number>
    expectTypeOf(queue.put(1)).toEqualTypeOf<Exit.Exit<void, DeferredQueue.QueueOverflow>>()
    expectTypeOf(queue.get()).toEqualTypeOf<D<number, DeferredQueue.QueueUnderflow>>()
    expectTypeOf(queue.take).toEqualTypeOf<Effect.Effect<number, DeferredQueue.QueueUnderflow>>()
    expectTypeOf(DeferredQueue.make<string>()).toEqualTypeOf<
      Effect.Effect<DeferredQueue.DeferredQueue<string>, never, Scope.Scope>
    >()
    expectTypeOf<DeferredQueue.DeferredQueue<number>>().not.toExtend<
      DeferredQueue.DeferredQueue<number | string>
    >()
    // @ts-expect-error another value
    queue.put("x")
  })

  it("filesystem lock", () => {
    type Failure = DeferredFilesystemLock.AlreadyTryingToLock | DeferredFilesystemLock.FilesystemLockError
    expectTypeOf(DeferredFilesystemLock.make("/run/x.lock")).toEqualTypeOf<
      Effect.Effect<
        DeferredFilesystemLock.DeferredFilesystemLock,
        never,
        DeferredFilesystemLock.FilesystemLocks | Scope.Scope
      >
    >()
    const lock = {} as DeferredFilesystemLock.DeferredFilesystemLock
    expectTypeOf(lock.deferUntilLocked()).toEqualTypeOf<D<void, Failure>>()
    expectTypeOf(lock.deferUntilLocked({ timeout: "1 second" })).toEqualTypeOf<
      D<void, Failure | Cause.TimeoutError>
    >()
    expectTypeOf(lock.unlock()).toEqualTypeOf<
      D<void, DeferredFilesystemLock.NotLocked | DeferredFilesystemLock.FilesystemLockError>
    >()
    expectTypeOf(lock.scoped).toEqualTypeOf<Effect.Effect<void, Failure, Scope.Scope>>()
    lock.deferUntilLocked().addErrbackTag("FilesystemLockError", ({ path, reason }) => {
      expectTypeOf(path).toEqualTypeOf<string>()
      expectTypeOf(reason._tag).toEqualTypeOf<"NotALock" | "Unusable">()
    })
    expectTypeOf(NodeFilesystemLock.layer).toEqualTypeOf<
      Layer.Layer<DeferredFilesystemLock.FilesystemLocks>
    >()
    expectTypeOf(NodeFilesystemLock.isLocked("/run/x.lock")).toEqualTypeOf<
      Effect.Effect<boolean, DeferredFilesystemLock.FilesystemLockError>
    >()
    expectTypeOf(lock.withLock(Effect.flatMap(Db, (db) => db.query))).toEqualTypeOf<
      Effect.Effect<string, Denied | Failure, Db>
    >()
  })
})

describe("settings", () => {
  it("are references, with defaults", () => {
    expectTypeOf(Deferred.Debugging).toEqualTypeOf<Context.Reference<boolean>>()
    expectTypeOf(Effect.provideService(Effect.void, Deferred.Debugging, true)).toEqualTypeOf<
      Effect.Effect<void>
    >()
    const reporter = Effect.provideService(Effect.void, Deferred.Reporter, ({ cause, madeAt }) => {
      expectTypeOf(cause).toEqualTypeOf<Cause.Cause<unknown>>()
      expectTypeOf(madeAt).toEqualTypeOf<string | undefined>()
      return Effect.void
    })
    expectTypeOf(reporter).toEqualTypeOf<Effect.Effect<void>>()
    expectTypeOf(Deferred.Reporter).toEqualTypeOf<
      Context.Reference<(unhandled: Deferred.Unhandled) => Effect.Effect<void>>
    >()
  })
})
