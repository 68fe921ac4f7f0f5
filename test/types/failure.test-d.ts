import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { describe, expectTypeOf, it } from "vitest"
import * as UnhandledFailure from "../../src/reactor/UnhandledFailure.ts"
import * as Failure from "../../src/result/Failure.ts"
import * as LoggedFailures from "../../src/testing/LoggedFailures.ts"

type Of<E> = Failure.Failure<E>

class NotFound extends Data.TaggedError("NotFound")<{ readonly id: string }> {}
class Denied extends Data.TaggedError("Denied")<{ readonly by: string }> {}
class Refused extends Data.TaggedError("Refused")<{ readonly port: number }> {}
class Lost extends Data.TaggedError("Lost")<{}> {}
class ConnectError extends Data.TaggedError("ConnectError")<{ readonly reason: Refused | Lost }> {}
class Invalid extends Schema.TaggedError<Invalid>()("Invalid", { at: Schema.DateFromString }) {}
type E = NotFound | Denied | ConnectError

declare const failure: Of<E>
declare const unknown: Of<unknown>
declare const nothing: Of<never>
declare const work: Effect.Effect<number, E, "Service">
declare const isDenied: (error: E) => error is Denied
declare const isOld: (error: E) => boolean

describe("the value", () => {
  it("is an effect, and covariant", () => {
    expectTypeOf(failure).toExtend<Effect.Effect<never, E>>()
    expectTypeOf<Of<NotFound>>().toExtend<Of<E>>()
    expectTypeOf<Of<E>>().not.toExtend<Of<NotFound>>()
    expectTypeOf<Failure.ErrorOf<typeof failure>>().toEqualTypeOf<E>()
    expectTypeOf(failure.cause).toEqualTypeOf<Cause.Cause<E>>()
    const program = Effect.gen(function* () {
      return yield* failure
    })
    expectTypeOf(program).toEqualTypeOf<Effect.Effect<never, E>>()
  })

  it("is captured with its error's type", () => {
    expectTypeOf(Failure.fail(new NotFound({ id: "" }))).toEqualTypeOf<Of<NotFound>>()
    expectTypeOf(Failure.die(1)).toEqualTypeOf<Of<never>>()
    expectTypeOf(Failure.interrupt()).toEqualTypeOf<Of<never>>()
    expectTypeOf(Failure.fromCause(failure.cause)).toEqualTypeOf<Of<E>>()
    expectTypeOf(Failure.fromExit(Exit.fail("x"))).toEqualTypeOf<Option.Option<Of<string>>>()
    expectTypeOf(Failure.fromUnknown(1)).toEqualTypeOf<Of<unknown>>()
    expectTypeOf(Failure.try(() => 1)).toEqualTypeOf<Result.Result<number, Of<unknown>>>()
    expectTypeOf(Failure.result(work)).toEqualTypeOf<
      Effect.Effect<Result.Result<number, Of<E>>, never, "Service">
    >()
    expectTypeOf(Failure.fromPromise(async () => 1)).toEqualTypeOf<
      Effect.Effect<Result.Result<number, Of<unknown>>>
    >()
    expectTypeOf(Failure.fromPromise(Promise.resolve(""))).toEqualTypeOf<
      Effect.Effect<Result.Result<string, Of<unknown>>>
    >()
  })

  it("is used with it", () => {
    expectTypeOf(Failure.error(failure)).toEqualTypeOf<Option.Option<E>>()
    expectTypeOf(Failure.errors(failure)).toEqualTypeOf<ReadonlyArray<E>>()
    expectTypeOf(Failure.defects(failure)).toEqualTypeOf<ReadonlyArray<unknown>>()
    expectTypeOf(Failure.squash(failure)).toEqualTypeOf<unknown>()
    expectTypeOf(Failure.map(failure, (error) => error._tag)).toEqualTypeOf<Of<E["_tag"]>>()
    expectTypeOf(failure.pipe(Failure.map((error) => error._tag))).toEqualTypeOf<Of<E["_tag"]>>()
    expectTypeOf(Failure.toEffect(failure)).toEqualTypeOf<Effect.Effect<never, E>>()
    expectTypeOf(Failure.toExit(failure)).toEqualTypeOf<Exit.Exit<never, E>>()
    expectTypeOf(Failure.raise(failure)).toEqualTypeOf<never>()
    expectTypeOf(Failure.handled(failure)).toEqualTypeOf<void>()
    expectTypeOf(Failure.clean(failure)).toEqualTypeOf<Of<E>>()
    expectTypeOf(failure[Failure.TypeId]).toEqualTypeOf<Cause.Cause<E>>()
    for (const is of [Failure.isHandled, Failure.isInterrupted, Failure.isUnreported]) {
      expectTypeOf(is(failure)).toEqualTypeOf<boolean>()
    }
    const value: unknown = 1
    if (Failure.isFailure(value)) expectTypeOf(value).toEqualTypeOf<Of<unknown>>()
  })
})

describe("trap: what is meant leaves, what is not stays", () => {
  it("by tag", () => {
    expectTypeOf(Failure.trap(failure, "NotFound")).toEqualTypeOf<
      Exit.Exit<NotFound, Denied | ConnectError>
    >()
    expectTypeOf(Failure.trap(failure, "NotFound", "Denied", "ConnectError")).toEqualTypeOf<Exit.Exit<E>>()
    // @ts-expect-error there is no such tag
    Failure.trap(failure, "NotFoud")
    // @ts-expect-error one is needed
    Failure.trap(failure)
    expectTypeOf(failure.pipe(Failure.trap("NotFound"))).toEqualTypeOf<
      Exit.Exit<NotFound, Denied | ConnectError>
    >()
  })

  it("by tag and reason: the error stays, it may have another", () => {
    const trapped = Failure.trap(failure, "ConnectError.Refused")
    expectTypeOf(trapped).toExtend<Exit.Exit<ConnectError & { reason: { _tag: "Refused" } }, E>>()
    expectTypeOf<typeof trapped>().not.toExtend<Exit.Exit<unknown, NotFound | Denied>>()
    // @ts-expect-error there is no such reason
    Failure.trap(failure, "ConnectError.Reset")
  })

  it("by class", () => {
    expectTypeOf(Failure.trap(failure, NotFound, Denied)).toEqualTypeOf<
      Exit.Exit<NotFound | Denied, ConnectError>
    >()
    expectTypeOf(Failure.trap(unknown, TypeError)).toEqualTypeOf<Exit.Exit<TypeError, unknown>>()
    expectTypeOf(Failure.trap(nothing, NotFound)).toEqualTypeOf<Exit.Exit<never>>()
  })

  it("by a class that the compiler cannot tell from Error: nothing leaves", () => {
    expectTypeOf(Failure.trap(failure, TypeError)).toEqualTypeOf<Exit.Exit<E, E>>()
    expectTypeOf(Failure.trap(failure, Error)).toEqualTypeOf<Exit.Exit<E, E>>()
  })

  it("by guard, and by predicate", () => {
    expectTypeOf(Failure.trap(failure, isDenied)).toEqualTypeOf<Exit.Exit<Denied, NotFound | ConnectError>>()
    expectTypeOf(Failure.trap(failure, (error) => error._tag === "Denied")).toEqualTypeOf<
      Exit.Exit<Denied, NotFound | ConnectError>
    >()
    expectTypeOf(Failure.trap(failure, isOld)).toEqualTypeOf<Exit.Exit<E, E>>()
    expectTypeOf(Failure.trap(unknown, (error): error is Date => error instanceof Date)).toEqualTypeOf<
      Exit.Exit<Date, unknown>
    >()
  })

  it("by name: of anything, nothing leaves", () => {
    expectTypeOf(Failure.trap(failure, Failure.named("x.Y"))).toEqualTypeOf<Exit.Exit<E, E>>()
    expectTypeOf(Failure.trap(unknown, "Anything")).toEqualTypeOf<Exit.Exit<unknown, unknown>>()
  })

  it("several kinds at once", () => {
    expectTypeOf(Failure.trap(failure, "NotFound", isDenied)).toEqualTypeOf<
      Exit.Exit<NotFound | Denied, ConnectError>
    >()
    expectTypeOf(Failure.trap(failure, "NotFound", Failure.defect(TypeError))).toEqualTypeOf<
      Exit.Exit<NotFound | TypeError, Denied | ConnectError>
    >()
    expectTypeOf(Failure.trap(nothing, Failure.interruption)).toEqualTypeOf<Exit.Exit<Cause.Interrupt>>()
    expectTypeOf(Failure.trap(nothing, Failure.defect())).toEqualTypeOf<Exit.Exit<unknown>>()
  })
})

describe("piped", () => {
  it("a wrong tag does not compile, either", () => {
    // @ts-expect-error there is no such tag
    failure.pipe(Failure.trap("NotFoud"))
    // @ts-expect-error there is no such tag
    failure.pipe(Failure.trap("NotFound", "NotFoud"))
    // @ts-expect-error there is no such reason
    failure.pipe(Failure.find("ConnectError.Reset"))
    // @ts-expect-error there is no such tag
    failure.pipe(Failure.split("Other"))
    // @ts-expect-error there is no such tag
    failure.pipe(Failure.filter("Other"))
    // @ts-expect-error there is no such tag
    failure.pipe(Failure.without("Other"))
    // @ts-expect-error there is no such tag
    Failure.check("Other")(failure)
    // @ts-expect-error there is no such tag
    work.pipe(Failure.suppress("Other"))
    // @ts-expect-error nothing has a tag here
    nothing.pipe(Failure.trap("NotFound"))
    expectTypeOf(failure.pipe(Failure.trap("Denied"))).toEqualTypeOf<
      Exit.Exit<Denied, NotFound | ConnectError>
    >()
  })

  it("any string may be a tag of what is not known", () => {
    expectTypeOf(unknown.pipe(Failure.trap("Other"))).toEqualTypeOf<Exit.Exit<unknown, unknown>>()
    expectTypeOf(unknown.pipe(Failure.find("Other", TypeError))).toEqualTypeOf<Option.Option<unknown>>()
  })

  it("all else as it is", () => {
    expectTypeOf(failure.pipe(Failure.trap(NotFound, isDenied))).toEqualTypeOf<
      Exit.Exit<NotFound | Denied, ConnectError>
    >()
    expectTypeOf(failure.pipe(Failure.trap(Failure.named("x"), Failure.interruption))).toEqualTypeOf<
      Exit.Exit<E | Cause.Interrupt, E>
    >()
    expectTypeOf(nothing.pipe(Failure.trap(Failure.defect(TypeError)))).toEqualTypeOf<Exit.Exit<TypeError>>()
  })

  it("within a generic function, by class", () => {
    const absent = <A, X, R>(self: Effect.Effect<A, X | NotFound, R>) => self.pipe(Failure.suppress(NotFound))
    expectTypeOf(absent(work)).toExtend<Effect.Effect<number | undefined, Denied | ConnectError, "Service">>()
  })
})

describe("check, find, split, filter, without", () => {
  it("check narrows", () => {
    if (Failure.check(failure, "NotFound", Denied)) {
      expectTypeOf(Failure.errors(failure)).toEqualTypeOf<ReadonlyArray<NotFound | Denied>>()
    }
    if (Failure.check(unknown, TypeError)) expectTypeOf(unknown).toExtend<Of<TypeError>>()
    const isNotFound = Failure.check("NotFound")
    if (isNotFound(failure)) expectTypeOf(Failure.errors(failure)).toEqualTypeOf<ReadonlyArray<NotFound>>()
    // @ts-expect-error there is no such tag
    Failure.check(failure, "Other")
  })

  it("a failure of which check says no is still one", () => {
    const one = Failure.fail(new NotFound({ id: "" }))
    if (Failure.check(one, "NotFound")) expectTypeOf(one).toExtend<Of<NotFound>>()
    else expectTypeOf(one).toEqualTypeOf<Of<NotFound>>()
    if (!Failure.check(NotFound)(one)) expectTypeOf(one).toEqualTypeOf<Of<NotFound>>()
    if (!Failure.check(unknown, TypeError)) expectTypeOf(unknown).toEqualTypeOf<Of<unknown>>()
  })

  it("the others give what is meant", () => {
    expectTypeOf(Failure.find(failure, "NotFound", Failure.interruption)).toEqualTypeOf<
      Option.Option<NotFound | Cause.Interrupt>
    >()
    expectTypeOf(failure.pipe(Failure.find(Denied))).toEqualTypeOf<Option.Option<Denied>>()
    type Split = readonly [Option.Option<Of<NotFound>>, Option.Option<Of<Denied | ConnectError>>]
    expectTypeOf(Failure.split(failure, "NotFound")).toExtend<Split>()
    expectTypeOf(failure.pipe(Failure.split("NotFound"))).toExtend<Split>()
    expectTypeOf(Failure.filter(failure, isDenied)).toEqualTypeOf<Option.Option<Of<Denied>>>()
    expectTypeOf(failure.pipe(Failure.filter("Denied"))).toEqualTypeOf<Option.Option<Of<Denied>>>()
    expectTypeOf(Failure.without(failure, "NotFound", Denied)).toEqualTypeOf<
      Option.Option<Of<ConnectError>>
    >()
    expectTypeOf(failure.pipe(Failure.without("NotFound", Denied))).toEqualTypeOf<
      Option.Option<Of<ConnectError>>
    >()
  })
})

describe("tags", () => {
  it("of an error type", () => {
    expectTypeOf<Failure.Tags<E | string>>().toEqualTypeOf<"NotFound" | "Denied" | "ConnectError">()
    expectTypeOf<Failure.ReasonTags<E>>().toEqualTypeOf<"ConnectError.Refused" | "ConnectError.Lost">()
    expectTypeOf<Failure.Tag<E>>().toEqualTypeOf<Failure.Tags<E> | Failure.ReasonTags<E>>()
    expectTypeOf<Failure.Tag<unknown>>().toEqualTypeOf<string>()
    expectTypeOf<Failure.Tag<never>>().toEqualTypeOf<never>()
  })

  it("what matchers take and leave, for functions that hand them on", () => {
    expectTypeOf<Failure.MatchedError<E, "NotFound" | typeof Denied>>().toEqualTypeOf<NotFound | Denied>()
    expectTypeOf<Failure.Rest<E, "NotFound" | typeof Denied>>().toEqualTypeOf<ConnectError>()
    expectTypeOf<Failure.Matched<E, typeof Failure.interruption>>().toEqualTypeOf<Cause.Interrupt>()
  })
})

describe("text and JSON", () => {
  it("of any failure", () => {
    expectTypeOf(Failure.message(failure)).toEqualTypeOf<string>()
    expectTypeOf(
      Failure.render(failure, { detail: "verbose", colour: true, depthMax: 3 })
    ).toEqualTypeOf<string>()
    expectTypeOf(Failure.html(failure)).toEqualTypeOf<string>()
    expectTypeOf(Failure.toJson(failure)).toEqualTypeOf<Failure.FailureJson>()
  })

  it("with a schema of the errors, or none", () => {
    expectTypeOf(Failure.schema()).toEqualTypeOf<Schema.Codec<Of<unknown>, Failure.FailureJson>>()
    expectTypeOf(Failure.schema({ limits: { depthMax: 3 } })).toEqualTypeOf<
      Schema.Codec<Of<unknown>, Failure.FailureJson>
    >()
    const codec = Failure.schema(Invalid)
    expectTypeOf<(typeof codec)["Type"]>().toEqualTypeOf<Of<Invalid>>()
    expectTypeOf<(typeof codec)["Encoded"]>().toEqualTypeOf<
      Failure.TypedFailureJson<(typeof Invalid)["Encoded"]>
    >()
    expectTypeOf<(typeof codec)["DecodingServices"]>().toEqualTypeOf<never>()
    const both = Failure.schema(Schema.Union([Invalid, Schema.String]), { limits: { errorsMax: 3 } })
    expectTypeOf<(typeof both)["Type"]>().toEqualTypeOf<Of<Invalid | string>>()
    if (Failure.check(unknown, Failure.RemoteError)) {
      expectTypeOf(unknown).toExtend<Of<Failure.RemoteError>>()
      expectTypeOf(Failure.errors(unknown)[0]?.names).toEqualTypeOf<ReadonlyArray<string> | undefined>()
    }
  })
})

describe("groups", () => {
  it("have the errors of all", () => {
    expectTypeOf(Failure.all([failure, Failure.fail("x"), nothing])).toEqualTypeOf<Of<E | string>>()
    expectTypeOf(Failure.all(new Set([failure]))).toEqualTypeOf<Of<E>>()
    expectTypeOf(Failure.members(failure)).toEqualTypeOf<ReadonlyArray<Failure.Member<E>>>()
  })

  it("byTag", () => {
    const { rest, tags } = Failure.byTag(failure as Of<E | string>)
    expectTypeOf(tags.NotFound).toEqualTypeOf<Of<NotFound> | undefined>()
    expectTypeOf(rest).toEqualTypeOf<Option.Option<Of<string>>>()
    // @ts-expect-error there is no such tag
    void tags.Other
  })

  it("partition", () => {
    expectTypeOf(Failure.partition([Exit.succeed(1), Exit.fail("x")])).toEqualTypeOf<
      [failures: Array<Of<string>>, values: Array<number>]
    >()
    expectTypeOf(Failure.partitionEffects([work], { concurrency: "unbounded" })).toEqualTypeOf<
      Effect.Effect<[failures: Array<Of<E>>, values: Array<number>], never, "Service">
    >()
  })
})

describe("the log", () => {
  it("report", () => {
    expectTypeOf(Failure.report(failure, { level: "Warn" })).toEqualTypeOf<Effect.Effect<void>>()
    expectTypeOf(Failure.report({ namespace: "x" })(failure)).toEqualTypeOf<Effect.Effect<void>>()
    expectTypeOf(Failure.withReporting(work)).toEqualTypeOf<typeof work>()
    expectTypeOf(work.pipe(Failure.withReporting({ level: "Warn" }))).toEqualTypeOf<typeof work>()
    // @ts-expect-error no level
    void Failure.report(failure, { level: "Loud" })
  })

  it("suppress: what is meant leaves the error type", () => {
    type Suppressed = Effect.Effect<number | undefined, ConnectError, "Service">
    expectTypeOf(Failure.suppress(work, "NotFound", Denied)).toEqualTypeOf<Suppressed>()
    expectTypeOf(work.pipe(Failure.suppress("NotFound", Denied))).toEqualTypeOf<Suppressed>()
    // @ts-expect-error there is no such tag
    Failure.suppress(work, "Other")
  })

  it("reportUnhandled changes no type", () => {
    const options = { place: "x" }
    expectTypeOf(Failure.reportUnhandled(work, options)).toEqualTypeOf<typeof work>()
    expectTypeOf(work.pipe(Failure.reportUnhandled(options))).toEqualTypeOf<typeof work>()
    expectTypeOf(Failure.layerUnhandled(options)).toEqualTypeOf<Layer.Layer<never>>()
    expectTypeOf(Failure.makeUnhandled(options)).toEqualTypeOf<
      Effect.Effect<Failure.Unhandled, never, Scope.Scope>
    >()
    expectTypeOf(Failure.watch(failure)).toEqualTypeOf<Effect.Effect<void>>()
    expectTypeOf(Failure.watchInScope(failure, options)).toEqualTypeOf<
      Effect.Effect<void, never, Scope.Scope>
    >()
  })

  it("what is news, for other reporters", () => {
    expectTypeOf(Failure.newsOf(failure.cause)).toEqualTypeOf<Cause.Cause<E> | undefined>()
    expectTypeOf(Failure.markReported(failure.cause)).toEqualTypeOf<Cause.Cause<E>>()
    expectTypeOf(failure.cause.reasons.some(Failure.isNews)).toEqualTypeOf<boolean>()
    expectTypeOf(Effect.map(Failure.CurrentUnhandled, (unhandled) => unhandled?.size)).toEqualTypeOf<
      Effect.Effect<number | undefined>
    >()
  })

  it("UnhandledFailure", () => {
    const { fork, report } = UnhandledFailure
    const place = "x"
    expectTypeOf(fork(work, { place })).toEqualTypeOf<
      Effect.Effect<Fiber.Fiber<number, E>, never, "Service" | Scope.Scope>
    >()
    expectTypeOf(report({ cause: failure.cause, place, peer: undefined })).toEqualTypeOf<
      Effect.Effect<void>
    >()
    // @ts-expect-error a place is needed
    void fork(work, {})
  })

  it("flushLoggedFailures", () => {
    type Logged = LoggedFailures.LoggedFailures
    expectTypeOf(LoggedFailures.flushLoggedFailures("NotFound", TypeError)).toEqualTypeOf<
      Effect.Effect<ReadonlyArray<Of<unknown>>>
    >()
    expectTypeOf(LoggedFailures.layer()).toEqualTypeOf<Layer.Layer<Logged>>()
    expectTypeOf(LoggedFailures.layer({ level: "Info" })).toEqualTypeOf<Layer.Layer<Logged>>()
    expectTypeOf(work.pipe(LoggedFailures.expect())).toEqualTypeOf<typeof work>()
    // @ts-expect-error a number is no matcher
    void LoggedFailures.flushLoggedFailures(1)
    expectTypeOf(LoggedFailures.expect(LoggedFailures.flushLoggedFailures())).toEqualTypeOf<
      Effect.Effect<ReadonlyArray<Of<unknown>>>
    >()
  })
})
