/** A lending library by RPC: one procedure for each thing that can happen to a call. */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcClient from "effect/rpc/RpcClient"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as RpcMiddleware from "effect/rpc/RpcMiddleware"
import * as RpcServer from "effect/rpc/RpcServer"
import * as Schema from "effect/Schema"

export class Book extends Schema.Class<Book>("Book")({ title: Schema.String, reader: Schema.String }) {}

export class NotFound extends Schema.Error<NotFound>("NotFound")({
  _tag: Schema.tag("NotFound"),
  title: Schema.String
}) {}

class Refused extends Schema.Error<Refused>("Refused")({ _tag: Schema.tag("Refused") }) {}

/** Who calls: from the headers of the call. */
class Reader extends Context.Service<Reader, string>()("test/interop/Reader") {}

class Admission extends RpcMiddleware.Service<Admission, { provides: Reader }>()("test/interop/Admission", {
  error: Refused,
  requiredForClient: true
}) {}

class Turnstile extends RpcMiddleware.Service<Turnstile>()("test/interop/Turnstile") {}

export const Library = RpcGroup.make(
  Rpc.make("Borrow", { payload: { title: Schema.String }, success: Book, error: NotFound }),
  Rpc.make("Reserve", { payload: { title: Schema.String }, success: Book }),
  Rpc.make("Look", { payload: { title: Schema.String }, success: Schema.Option(Book) }),
  Rpc.make("desk.bell"),
  Rpc.make("Shelf", { payload: { title: Schema.String }, success: Book, error: NotFound, stream: true }),
  Rpc.make("Collapse"),
  Rpc.make("CollapseWithStack", { defect: Schema.Defect({ includeStack: true }) }),
  Rpc.make("Wait"),
  Rpc.make("Pass", { payload: { fails: Schema.Boolean }, success: Schema.Number }).middleware(Turnstile),
  Rpc.make("Report", {
    success: Schema.Struct({
      interrupted: Schema.Number,
      shelved: Schema.Number,
      passed: Schema.Number,
      crashed: Schema.Number
    })
  })
).middleware(Admission)

const admission = Layer.succeed(Admission)(
  Admission.of((effect, { headers }) =>
    headers["reader"] === "banned"
      ? Effect.fail(new Refused({}))
      : Effect.provideService(
          effect,
          Reader,
          `${headers["reader"] ?? "nobody"} by ${headers["via"] ?? "no desk"}`
        )
  )
)

/** What clients add to each call. */
const desk = RpcMiddleware.layerClient(Admission, ({ next, request }) =>
  next({ ...request, headers: Headers.set(request.headers, "via", "the desk") })
)

interface Counts {
  interrupted: number
  shelved: number
  passed: number
  crashed: number
}

const handlers = (counts: Counts) =>
  Library.toLayer(
    Effect.succeed(
      Library.of({
        Borrow: ({ title }) =>
          title === "lost"
            ? Effect.fail(new NotFound({ title }))
            : Rpc.fork(Effect.map(Reader, (reader) => new Book({ title, reader }))),
        Reserve: ({ title }) =>
          Effect.sync(() => {
            const reserved = Deferred.makeUnsafe<Book>()
            Deferred.doneUnsafe(reserved, Effect.succeed(new Book({ title, reader: "reserved" })))
            return reserved
          }),
        Look: ({ title }) => Effect.succeed(Option.some(new Book({ title, reader: "nobody" }))),
        "desk.bell": () => Effect.void,
        Shelf: Effect.fnUntraced(function* ({ title }) {
          const queue = yield* Queue.bounded<Book, NotFound>(0)
          yield* Effect.addFinalizer(() =>
            Effect.sync(() => {
              counts.interrupted++
            })
          )
          if (title === "lost") {
            yield* Effect.forkScoped(
              Queue.offer(queue, new Book({ title, reader: "1" })).pipe(
                Effect.andThen(Queue.fail(queue, new NotFound({ title })))
              )
            )
            return queue
          }
          yield* Effect.suspend(() =>
            Queue.offer(queue, new Book({ title, reader: String(counts.shelved + 1) }))
          ).pipe(
            Effect.tap(() =>
              Effect.sync(() => {
                counts.shelved++
              })
            ),
            Effect.andThen(Effect.yieldNow),
            Effect.forever,
            Effect.forkScoped
          )
          return queue
        }),
        Collapse: () => Effect.die("the shelf fell"),
        CollapseWithStack: () =>
          Effect.die({
            name: "ShelfError",
            message: "the shelf fell",
            stack: "ShelfError: the shelf fell\n  at aisle.ts:7"
          }),
        Wait: () =>
          Effect.onInterrupt(Effect.never, () =>
            Effect.sync(() => {
              counts.interrupted++
            })
          ),
        Pass: ({ fails }) => (fails ? Effect.die("stuck") : Effect.succeed(1)),
        Report: () => Effect.sync(() => ({ ...counts }))
      })
    )
  )

const turnstile = (counts: Counts) =>
  Layer.succeed(Turnstile)(
    Turnstile.of((effect) =>
      effect.pipe(
        Effect.tap(() =>
          Effect.sync(() => {
            counts.passed++
          })
        ),
        Effect.tapDefect(() =>
          Effect.sync(() => {
            counts.crashed++
          })
        )
      )
    )
  )

/** A server with counts of its own. */
export const server = Layer.unwrap(
  Effect.sync(() => {
    const counts: Counts = { interrupted: 0, shelved: 0, passed: 0, crashed: 0 }
    return RpcServer.layer(Library, { disableFatalDefects: true }).pipe(
      Layer.provide([handlers(counts), turnstile(counts), admission])
    )
  })
)

export class LibraryClient extends Context.Service<
  LibraryClient,
  RpcClient.RpcClient<RpcGroup.Rpcs<typeof Library>, RpcClientError>
>()("test/interop/LibraryClient") {
  static readonly layer = Layer.effect(LibraryClient)(RpcClient.make(Library)).pipe(Layer.provide(desk))
}
