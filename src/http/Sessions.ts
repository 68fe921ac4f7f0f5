/**
 * What is remembered of somebody between requests, by a cookie. Twisted: `Session`, `request.getSession`.
 *
 * ```ts check
 * import * as Effect from "effect/Effect"
 * import * as HttpServerResponse from "effect/http/HttpServerResponse"
 * import * as Schema from "effect/Schema"
 * import { Sessions, SessionStore } from "spindle/http"
 *
 * const sessions = Sessions.stored({
 *   schema: Schema.Struct({ user: Schema.String }),
 *   store: SessionStore.memory()
 * })
 *
 * export const login = Effect.gen(function* () {
 *   const session = yield* sessions.current
 *   yield* session.rotate
 *   yield* session.set({ user: "alice" })
 *   return HttpServerResponse.text("welcome")
 * })
 * ```
 *
 * `stored`: the cookie is a name of 256 random bits, and what it stands for is in a store. `signed`: the cookie has it all, readable for whoever
 * has it, and nobody can change it; it cannot be taken back before it expires. Cookies are `HttpOnly`, `SameSite=Lax`, and over TLS `Secure`
 * with the prefix `__Host-`, so that neither scripts nor neighbouring hosts get at them. Names that we have not given out are never
 * taken over (session fixation); `rotate` gives another one whenever somebody gets more rights than before.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Hex from "effect/encoding/Hex"
import * as HttpEffect from "effect/http/HttpEffect"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { textOf, utf8 } from "../auth/bytesOf.ts"
import { equalBytes } from "../auth/constantTime.ts"
import { hmac, sha256 } from "../auth/Hash.ts"
import { randomBytes } from "./secureRandom.ts"
import type { SessionStore } from "./SessionStore.ts"

/** The session of the request that is being handled. What is done to it is kept when the answer is sent. */
export interface Session<A> {
  /** `undefined`: there is none, or nothing in it. */
  readonly get: Effect.Effect<A | undefined>
  /** Begins a session where there is none. */
  readonly set: (data: A) => Effect.Effect<void>
  /** The same under another name; the old one is worth nothing any more. */
  readonly rotate: Effect.Effect<void>
  /** Forgets it, here and at the client. */
  readonly end: Effect.Effect<void>
}

export interface Sessions<A> {
  /** The same for all who ask within one request. */
  readonly current: Effect.Effect<Session<A>, never, HttpServerRequest>
}

export interface Options<A, I> {
  readonly schema: Schema.Codec<A, I>
  /** Of the cookie; over TLS with `__Host-` in front. Default `session`. */
  readonly cookie?: string | undefined
  /** Default: whether the request came by TLS, as the server or a trusted proxy says. */
  readonly secure?: boolean | undefined
  /** `lax`: not with what other sites send, but links. `none` needs TLS. Default `lax`. */
  readonly sameSite?: "lax" | "strict" | "none" | undefined
  /** It ends when nobody has asked for so long. Default 15 minutes, as Twisted's. */
  readonly idleTimeout?: Duration.Input | undefined
  /** It ends then in any case. Default 1 day. */
  readonly lifetime?: Duration.Input | undefined
}

/** What is kept, as JSON: `[data, began, seen]`, times in milliseconds since 1970. */
interface Kept {
  readonly data: string
  readonly began: number
  readonly seen: number
}

/** How a cookie and what it stands for belong together. */
interface Keeping {
  readonly load: (cookie: string) => Effect.Effect<string | undefined>
  /** The cookie for it: the one that there is, if it can stand for something else. */
  readonly save: (cookie: string | undefined, text: string, expiresAtMillis: number) => Effect.Effect<string>
  readonly remove: (cookie: string) => Effect.Effect<void>
}

const Envelope = Schema.fromJsonString(Schema.Tuple([Schema.String, Schema.Finite, Schema.Finite]))
const decodeEnvelope = Schema.decodeUnknownOption(Envelope)

/** A time that is told less often than each request: one write in so many parts of the idle time. */
const touchParts = 10

const make = <A, I>(options: Options<A, I>, keeping: Keeping): Sessions<A> => {
  const { cookie = "session", sameSite = "lax", schema } = options
  const idleMillis = Duration.toMillis(options.idleTimeout ?? "15 minutes")
  const lifeMillis = Duration.toMillis(options.lifetime ?? "1 day")
  const json = Schema.fromJsonString(schema)
  const decode = Schema.decodeUnknownOption(json)
  const encode = Schema.encodeEffect(json)
  const open = new WeakMap<object, Session<A>>()

  const expiry = ({ began, seen }: Kept) => Math.min(began + lifeMillis, seen + idleMillis)

  const keptBy = (text: string | undefined, now: number): Kept | undefined => {
    const envelope = text === undefined ? Option.none() : decodeEnvelope(text)
    if (Option.isNone(envelope)) return undefined
    const [data, began, seen] = envelope.value
    const kept = { data, began, seen }
    return expiry(kept) > now ? kept : undefined
  }

  const begin = Effect.fnUntraced(function* (request: HttpServerRequest) {
    const secure =
      options.secure ?? (request.protocol === "https" || request.originalUrl.startsWith("https:"))
    const name = secure ? `__Host-${cookie}` : cookie
    const now = yield* Clock.currentTimeMillis
    const shown = request.cookies[name]
    const kept = shown === undefined ? undefined : keptBy(yield* keeping.load(shown), now)
    let value = kept === undefined ? undefined : Option.getOrUndefined(decode(kept.data))
    // The name that we know, if any; what was shown otherwise is nobody's.
    let known = kept === undefined ? undefined : shown
    const stale = new Set<string>()
    let isChanged = kept !== undefined && now - kept.seen > idleMillis / touchParts
    let isEnded = false

    const write = Effect.fnUntraced(function* (response: HttpServerResponse.HttpServerResponse) {
      for (const old of stale) yield* keeping.remove(old)
      const attributes = { httpOnly: true, path: "/", sameSite, secure } as const
      if (isEnded && value === undefined) {
        return shown === undefined
          ? response
          : HttpServerResponse.expireCookieUnsafe(response, name, attributes)
      }
      if (!isChanged || value === undefined) return response
      const next: Kept = { data: yield* Effect.orDie(encode(value)), began: kept?.began ?? now, seen: now }
      const text = JSON.stringify([next.data, next.began, next.seen])
      const saved = yield* keeping.save(known, text, expiry(next))
      if (saved === shown) return response
      const headers = response.headers["cache-control"] === undefined ? { "cache-control": "private" } : {}
      return response.pipe(
        HttpServerResponse.setHeaders(headers),
        HttpServerResponse.setCookieUnsafe(name, saved, attributes)
      )
    })
    yield* HttpEffect.appendPreResponseHandler((_, response) => write(response)).pipe(
      Effect.provideService(HttpServerRequest, request)
    )

    const session: Session<A> = {
      get: Effect.sync(() => value),
      set: (data) =>
        Effect.sync(() => {
          value = data
          isChanged = true
        }),
      rotate: Effect.sync(() => {
        if (known !== undefined) stale.add(known)
        known = undefined
        isChanged = true
      }),
      end: Effect.sync(() => {
        if (known !== undefined) stale.add(known)
        known = undefined
        value = undefined
        isEnded = true
      })
    }
    open.set(request.source, session)
    return session
  })

  return {
    current: Effect.flatMap(HttpServerRequest, (request) => {
      const session = open.get(request.source)
      return session === undefined ? begin(request) : Effect.succeed(session)
    })
  }
}

export interface StoredOptions<A, I> extends Options<A, I> {
  readonly store: SessionStore
}

const keyOf = (cookie: string): string => Hex.encode(sha256.digest(utf8(cookie)))

/** Data in a store. Of two requests at once that change it, the later one wins. */
export const stored = <A, I>(options: StoredOptions<A, I>): Sessions<A> => {
  const { store } = options
  return make(options, {
    // Ours have 43 characters: nothing else is looked up.
    load: (cookie) => (/^[A-Za-z0-9_-]{43}$/.test(cookie) ? store.get(keyOf(cookie)) : Effect.undefined),
    save: Effect.fnUntraced(function* (known, text, expiresAtMillis) {
      const cookie = known ?? Base64Url.encode(yield* randomBytes(32))
      yield* store.set(keyOf(cookie), text, expiresAtMillis)
      return cookie
    }),
    remove: (cookie) => store.remove(keyOf(cookie))
  })
}

export interface SignedOptions<A, I> extends Options<A, I> {
  /** At least 32 random bytes each. The first one signs, all are accepted: put a new one in front, and take the old one away after `lifetime`. */
  readonly keys: readonly [Redacted.Redacted<Uint8Array>, ...ReadonlyArray<Redacted.Redacted<Uint8Array>>]
}

/** What browsers keep of a cookie, less its name and attributes. */
const cookieLengthMax = 3800

/** Data in the cookie. Throws a `RangeError` for a key that is too short; what is too long for a cookie is a defect. */
export const signed = <A, I>(options: SignedOptions<A, I>): Sessions<A> => {
  const keys = options.keys.map((key) => Redacted.value(key))
  if (keys.some(({ length }) => length < 32)) throw new RangeError("a key of less than 32 bytes")
  // The same key may sign other cookies: none of them is one of these.
  const tagOf = (key: Uint8Array, payload: string) =>
    hmac(sha256, key, utf8(`spindle session\0${options.cookie ?? "session"}\0${payload}`))
  return make(options, {
    load: (cookie) =>
      Effect.sync(() => {
        const [payload = "", tag = "", more] = cookie.split(".")
        const claimed = Base64Url.decode(tag)
        if (more !== undefined || Result.isFailure(claimed)) return undefined
        if (!keys.some((key) => equalBytes(tagOf(key, payload), claimed.success))) return undefined
        const text = Base64Url.decode(payload)
        return Result.isFailure(text) ? undefined : textOf(text.success)
      }),
    save: (_, text) =>
      Effect.suspend(() => {
        const payload = Base64Url.encode(text)
        const cookie = `${payload}.${Base64Url.encode(tagOf(keys[0]!, payload))}`
        return cookie.length > cookieLengthMax
          ? Effect.die(new RangeError(`a session of ${cookie.length} characters does not fit into a cookie`))
          : Effect.succeed(cookie)
      }),
    remove: () => Effect.void
  })
}
