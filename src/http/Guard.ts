/**
 * A portal in front of routes: who asks shows a name and a password, a digest of it, or a token, and gets an avatar for as long as the request
 * takes. RFC 7617, RFC 7616, RFC 6750. Twisted: `HTTPAuthSessionWrapper` and its credential factories.
 *
 * ```ts check
 * import * as Context from "effect/Context"
 * import * as Effect from "effect/Effect"
 * import * as HttpServerResponse from "effect/http/HttpServerResponse"
 * import { MemoryUsers, Portal, Realm } from "spindle/auth"
 * import { Guard } from "spindle/http"
 *
 * class User extends Context.Service<User, { readonly name: string }>()("app/User") {}
 *
 * export const program = Effect.gen(function* () {
 *   const portal = Portal.make({
 *     realms: [Realm.make(User, (id) => Effect.succeed({ name: String(id) }))],
 *     checkers: [yield* MemoryUsers.checker({ alice: "secret" })]
 *   })
 *   const guard = yield* Guard.make({ portal, interface: User, realm: "files", schemes: ["digest", "basic"] })
 *   return guard(Effect.map(User, ({ name }) => HttpServerResponse.text(`hello, ${name}`)))
 * })
 * ```
 *
 * Basic and bearer show the secret itself to whoever can listen: use them over TLS. A browser sends its credentials with requests that
 * other sites make it send, too: put `SameOrigin` in front of what changes something.
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as bytesOf from "../auth/bytesOf.ts"
import * as Credentials from "../auth/Credentials.ts"
import * as Digest from "../auth/Digest.ts"
import { DigestNonces } from "../auth/DigestNonces.ts"
import * as DigestWire from "../auth/DigestWire.ts"
import type { LoginError } from "../auth/LoginError.ts"
import type * as Portal from "../auth/Portal.ts"
import { decodeBase64 } from "../auth/SaslBase64.ts"
import * as Visitor from "../auth/Visitor.ts"
import * as ErrorPage from "./ErrorPage.ts"
import * as RequestUser from "./RequestUser.ts"
import { randomBytes } from "./secureRandom.ts"

export type Scheme = "basic" | "digest" | "bearer"

/** What a scheme brings to the portal. */
export type CredentialsOf<S extends Scheme> = {
  readonly basic: Credentials.UsernamePassword
  readonly digest: Credentials.DigestProof
  readonly bearer: Credentials.Bearer
}[S]

export interface Options<I, A, R, S extends Scheme> {
  readonly portal: Portal.Portal<CredentialsOf<S>, I, R>
  /** Which avatar is asked for. */
  readonly interface: Context.Key<I, A>
  /** What browsers show whoever is asked; also a part of digests. No quotes, no control characters. */
  readonly realm: string
  /** In the order in which they are offered: clients take the first they know. */
  readonly schemes: ReadonlyArray<S>
  /**
   * Of digests, in the order of preference. A store with `HA1` hashes may have one only, with and without `-sess`. Default
   * `["SHA-256", "MD5"]`: curl and browsers know at least one.
   */
  readonly algorithms?: ReadonlyArray<Digest.Algorithm> | undefined
  /** How long a challenge is good for. Default 15 minutes. */
  readonly challengeLifetime?: Duration.Input | undefined
}

/** Gives the avatar to what handles requests, or answers 401, 403, 429. */
export interface Guard<I, R> {
  <E, RA>(
    app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, RA>
  ): Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    E,
    Exclude<RA, I> | Exclude<R, Scope.Scope> | HttpServerRequest | Scope.Scope
  >
}

/** What a header came to. */
type Shown =
  | { readonly _tag: "Credentials"; readonly credentials: Credentials.Credentials }
  | { readonly _tag: "Nothing"; readonly stale: boolean }
  | { readonly _tag: "Malformed" }

const nothing: Shown = { _tag: "Nothing", stale: false }
const malformed: Shown = { _tag: "Malformed" }

const basicOf = (text: string): Shown => {
  const bytes = decodeBase64(text.trim())
  const pair = bytes === undefined ? undefined : bytesOf.textOf(bytes)
  const colon = pair?.indexOf(":") ?? -1
  return pair === undefined || colon === -1
    ? malformed
    : {
        _tag: "Credentials",
        credentials: Credentials.usernamePassword(pair.slice(0, colon), pair.slice(colon + 1))
      }
}

const bearerOf = (text: string): Shown =>
  /^[A-Za-z0-9._~+/-]+=*$/.test(text)
    ? {
        _tag: "Credentials",
        credentials: new Credentials.Bearer({ username: undefined, token: Redacted.make(text) })
      }
    : malformed

/** Nonces are of the process: with several of them behind one port, digests ask clients once more for each. */
export const make = Effect.fnUntraced(function* <I, A, R, S extends Scheme>({
  algorithms = ["SHA-256", "MD5"],
  challengeLifetime = "15 minutes",
  interface: key,
  portal,
  realm,
  schemes
}: Options<I, A, R, S>): Effect.fn.Return<Guard<I, R>> {
  const nonces = new DigestNonces({
    key: yield* randomBytes(32),
    lifetimeMillis: Duration.toMillis(challengeLifetime)
  })

  const digestOf = (
    request: HttpServerRequest,
    text: string,
    peer: string | undefined,
    now: number
  ): Shown => {
    const parsed = Digest.parseAuthorization(text, request.method)
    if (Result.isFailure(parsed)) return malformed
    const authorization = parsed.success
    const { url = request.url } = request.source as { readonly url?: string | undefined }
    // What was signed is what is asked for.
    if (authorization.realm !== realm || authorization.uri !== url) return malformed
    if (!algorithms.some((algorithm) => authorization.algorithm === algorithm)) return nothing
    if (authorization.qop === undefined) return nothing
    const verdict = nonces.use(authorization.nonce, authorization.nc, now, peer)
    return verdict === "good"
      ? { _tag: "Credentials", credentials: Digest.credentials(authorization) }
      : { _tag: "Nothing", stale: verdict === "stale" }
  }

  const shownBy = (request: HttpServerRequest, peer: string | undefined, now: number): Shown => {
    const header = request.headers["authorization"]
    if (header === undefined) return nothing
    const [, scheme = "", text = ""] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ ]+([^]*)$/.exec(header) ?? []
    const name = scheme.toLowerCase()
    if (!schemes.some((known) => known === name)) return nothing
    return name === "basic"
      ? basicOf(text)
      : name === "bearer"
        ? bearerOf(text)
        : digestOf(request, text, peer, now)
  }

  const challenges = Effect.fnUntraced(function* (peer: string | undefined, now: number, stale: boolean) {
    const random = yield* randomBytes(12)
    return schemes
      .flatMap((scheme): ReadonlyArray<string> => {
        switch (scheme) {
          case "basic":
            return [`Basic ${DigestWire.format({ realm: { quoted: realm }, charset: { quoted: "UTF-8" } })}`]
          case "bearer":
            return [`Bearer ${DigestWire.format({ realm: { quoted: realm } })}`]
          default:
            return algorithms.map(
              (algorithm) =>
                `Digest ${DigestWire.format({
                  realm: { quoted: realm },
                  qop: { quoted: "auth" },
                  algorithm: { token: algorithm },
                  nonce: { quoted: nonces.issue(now, random, peer) },
                  charset: { token: "UTF-8" },
                  stale: stale ? { token: "true" } : undefined
                })}`
            )
        }
      })
      .join(", ")
  })

  const refused = Effect.fnUntraced(function* (
    request: HttpServerRequest,
    peer: string | undefined,
    now: number,
    error: LoginError | undefined,
    stale = false
  ) {
    switch (error?.reason._tag) {
      case "Denied":
        return ErrorPage.of(request, 403)
      case "TooManyFailures": {
        const seconds = Math.max(1, Math.ceil(Duration.toSeconds(error.reason.retryAfter)))
        return ErrorPage.of(request, 429, { headers: { "retry-after": String(seconds) } })
      }
      case undefined:
      case "Unauthorized":
      case "SignatureMissing":
        return ErrorPage.of(request, 401, {
          headers: { "www-authenticate": yield* challenges(peer, now, stale), "cache-control": "no-store" }
        })
      default:
        // Ours to mend: logged as such, and no word of it to strangers.
        return yield* Effect.die(error)
    }
  })

  return ((app: Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, unknown>) =>
    Effect.gen(function* () {
      const request = yield* HttpServerRequest
      const now = yield* Clock.currentTimeMillis
      const peer = Option.getOrUndefined(request.remoteAddress)
      const shown = shownBy(request, peer, now)
      if (shown._tag === "Malformed") return ErrorPage.of(request, 400)
      if (shown._tag === "Nothing") return yield* refused(request, peer, now, undefined, shown.stale)
      const credentials = shown.credentials as CredentialsOf<S>
      const secured = request.protocol === "https" || request.originalUrl.startsWith("https:")
      const login = Effect.flatMap(portal.authenticate(credentials), (id) =>
        Effect.map(portal.enter(id, key), (avatar) => ({ avatar, id }))
      ).pipe(Effect.provideService(Visitor.Current, { peer, secured }), Effect.result)
      const result = yield* login
      if (Result.isFailure(result)) return yield* refused(request, peer, now, result.failure)
      const { avatar, id } = result.success
      if (typeof id === "string") RequestUser.set(request, id)
      return yield* Effect.provideService(app, key, avatar)
    })) as unknown as Guard<I, R>
})
