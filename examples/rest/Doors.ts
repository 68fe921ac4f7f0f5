/** Who may come in, and how often: the API's middleware, over `spindle/auth` and Effect's `RateLimiter`. */
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Redacted from "effect/Redacted"
import { Checker, Credentials, KeyDerivation, LoginLimit, MemoryUsers, Portal, Realm } from "spindle/auth"
import { NodeKeyDerivation } from "spindle/node"
import { Access, Fairness, User } from "./InventoryApi.ts"
import { TooManyRequests, Unauthorized } from "./Problems.ts"

export interface Options {
  /** Names and passwords. `reader` may read, all others may write, too. */
  readonly users: Readonly<Record<string, string>>
  /** Whoever shows it is `robot`. */
  readonly token: Redacted.Redacted<string>
  /** Requests a minute, for each user; so many at once. */
  readonly requestsPerMinute: number
}

const portalOf = Effect.fnUntraced(function* ({ token, users }: Options) {
  const limit = yield* LoginLimit.make()
  return Portal.make({
    realms: [Realm.make(User, (id) => Effect.succeed({ name: String(id), mayWrite: id !== "reader" }))],
    checkers: [limit.over(yield* MemoryUsers.checker(users)), Checker.token(token, "robot")]
  })
})

/** Told behind the handler, when there is an answer to tell it with. */
const withHeader = (status: number, name: string, value: string) =>
  HttpEffect.appendPreResponseHandler((_, response) =>
    Effect.succeed(
      response.status === status ? HttpServerResponse.setHeader(response, name, value) : response
    )
  )

const tooMany = Effect.fnUntraced(function* (after: Duration.Duration) {
  const retryAfterSeconds = Math.max(1, Math.ceil(Duration.toSeconds(after)))
  yield* withHeader(429, "retry-after", String(retryAfterSeconds))
  return yield* new TooManyRequests({ retryAfterSeconds })
})

const unauthorized = Effect.andThen(
  withHeader(401, "www-authenticate", 'Basic realm="inventory", charset="UTF-8", Bearer realm="inventory"'),
  Effect.fail(new Unauthorized({}))
)

const access = (options: Options) =>
  Layer.effect(
    Access,
    Effect.gen(function* () {
      const portal = yield* portalOf(options)
      const user = (credentials: Credentials.UsernamePassword | Credentials.Bearer) =>
        portal.login(credentials, User).pipe(
          Effect.catchTag(
            "LoginError",
            (error): Effect.Effect<never, Unauthorized | TooManyRequests, HttpServerRequest> => {
              switch (error.reason._tag) {
                case "Unauthorized":
                case "Denied":
                  return unauthorized
                case "TooManyFailures":
                  return tooMany(error.reason.retryAfter)
                default:
                  return Effect.die(error)
              }
            }
          )
        )
      return Access.of({
        // Each of them is tried: what is not there is asked nobody about.
        basic: (app, { credential: { password, username } }) =>
          username === ""
            ? unauthorized
            : Effect.provideServiceEffect(
                app,
                User,
                user(new Credentials.UsernamePassword({ username, password }))
              ),
        bearer: (app, { credential }) =>
          Redacted.value(credential) === ""
            ? unauthorized
            : Effect.provideServiceEffect(
                app,
                User,
                user(new Credentials.Bearer({ username: undefined, token: credential }))
              )
      })
    })
  ).pipe(Layer.provide([KeyDerivation.layer(NodeKeyDerivation.functions), SecureRandom.layerWebCrypto]))

const fairness = ({ requestsPerMinute }: Options) =>
  Layer.effect(
    Fairness,
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.RateLimiter
      return Fairness.of((app) =>
        Effect.gen(function* () {
          const { name } = yield* User
          yield* limiter
            .consume({ algorithm: "token-bucket", window: "1 minute", limit: requestsPerMinute, key: name })
            .pipe(
              Effect.catchTag("RateLimiterError", (error) =>
                error.reason._tag === "RateLimitExceeded"
                  ? tooMany(error.reason.retryAfter)
                  : Effect.die(error)
              )
            )
          return yield* app
        })
      )
    })
  ).pipe(Layer.provide(RateLimiter.layer), Layer.provide(RateLimiter.layerStoreMemory))

export const layer = (options: Options): Layer.Layer<Access | Fairness> =>
  Layer.mergeAll(access(options), fairness(options))
