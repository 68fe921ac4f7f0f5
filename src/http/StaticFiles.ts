/**
 * A directory, served. Twisted: `static.File`.
 *
 * ```ts check
 * import * as HttpRouter from "effect/http/HttpRouter"
 * import * as Layer from "effect/Layer"
 * import { HttpServer, StaticFiles } from "spindle/http"
 * import { Endpoint } from "spindle/reactor"
 *
 * const server = HttpRouter.serve(StaticFiles.layer({ root: "public", listing: true })).pipe(
 *   Layer.provide(HttpServer.layer(Endpoint.tcp({ port: 8080 })))
 * )
 * ```
 *
 * Nothing outside of the root is served: a path is taken apart before it is decoded, what is opened is asked where it really is, and
 * that is what is sent.
 */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type { PlatformError } from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import * as ErrorPage from "./ErrorPage.ts"
import * as MediaType from "./MediaType.ts"
import * as Negotiation from "./Negotiation.ts"
import * as StaticAnswer from "./StaticAnswer.ts"
import * as StaticListing from "./StaticListing.ts"
import * as StaticPath from "./StaticPath.ts"
import * as StaticRoot from "./StaticRoot.ts"
import { type OpenFile, StaticStore } from "./StaticStore.ts"

/** Content codings of files that lie beside others, and how those are named. */
export type Coding = "br" | "zstd" | "gzip"

export interface Options extends MediaType.Options, StaticRoot.Options {
  /** What a directory is answered with, the first one that is there. Default `["index.html"]`. */
  readonly index?: ReadonlyArray<string> | undefined
  /** Directories without an index list what is in them. Default `false`: they are not there. */
  readonly listing?: boolean | undefined
  /** How many names a listing has at most. Default 1,000. */
  readonly listingMax?: number | undefined
  /** Extensions, with their dots, that may be left out: `/about` for `about.html`. Twisted: `ignoreExt`. Default none. */
  readonly extensions?: ReadonlyArray<string> | undefined
  /**
   * `a.js.br`, `a.js.zst` and `a.js.gz` are sent for `a.js` to whoever understands them, if they are not older. `true` for all three. Default
   * none.
   */
  readonly precompressed?: boolean | ReadonlyArray<Coding> | undefined
  /** For an application of one page: what is asked for by a browser, is not there and has no extension gets this file of the root. `true` is `index.html`. */
  readonly spa?: boolean | string | undefined
  /** The `Cache-Control` of files: for all, or by the path from the root. Default none. */
  readonly cacheControl?: string | ((path: string) => string | undefined) | undefined
  /** More fields of answers with files. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Instead of our page for what is not there. */
  readonly notFound?:
    | Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest | Scope.Scope>
    | undefined
}

type Response = HttpServerResponse.HttpServerResponse

/** What a route takes. */
export type Handler = Effect.Effect<Response, never, HttpServerRequest | Scope.Scope>

const suffixes: ReadonlyMap<Coding, string> = new Map([
  ["br", ".br"],
  ["zstd", ".zst"],
  ["gzip", ".gz"]
])

const allow = { allow: "GET, HEAD, OPTIONS" }

/** What answers for the directory. It looks at the `url` of the request, so that it can be mounted below a prefix. */
export const make = (options: Options): Handler => {
  const {
    cacheControl,
    extensions = [],
    headers = {},
    index = ["index.html"],
    listing = false,
    listingMax = 1000,
    precompressed = false,
    spa = false
  } = options
  const codings: ReadonlyArray<Coding> =
    precompressed === true ? [...suffixes.keys()] : precompressed === false ? [] : precompressed
  const application = spa === true ? "index.html" : spa
  const root = StaticRoot.make(options)
  type Found<A> = Effect.Effect<A | undefined, PlatformError, Scope.Scope>

  const fileAt = (segments: ReadonlyArray<string>): Found<OpenFile> =>
    Effect.map(root.find(segments), (found) => (found?.kind === "File" ? found : undefined))

  /** The first that is there. */
  const firstFile = Effect.fnUntraced(function* (
    candidates: ReadonlyArray<ReadonlyArray<string>>
  ): Effect.fn.Return<
    { readonly file: OpenFile; readonly segments: ReadonlyArray<string> } | undefined,
    PlatformError,
    Scope.Scope
  > {
    for (const segments of candidates) {
      const file = yield* fileAt(segments)
      if (file !== undefined) return { file, segments }
    }
    return undefined
  })

  const answer = Effect.fnUntraced(function* (
    request: HttpServerRequest,
    segments: ReadonlyArray<string>,
    original: OpenFile
  ) {
    const path = segments.join("/")
    const name = segments.at(-1) ?? original.realPath
    const cache = typeof cacheControl === "function" ? cacheControl(path) : cacheControl
    let file = original
    let coding: Coding | undefined
    for (const wanted of Negotiation.encodings(request.headers["accept-encoding"], codings)) {
      const found = yield* fileAt([...segments.slice(0, -1), name + suffixes.get(wanted)!])
      if (found === undefined || found.modifiedMillis < original.modifiedMillis) continue
      file = found
      coding = wanted
      break
    }
    return yield* StaticAnswer.answer(request, {
      file,
      coding,
      contentType: MediaType.of(name, options),
      vary: codings.length === 0 ? undefined : "Accept-Encoding",
      headers: cache === undefined ? headers : { "cache-control": cache, ...headers }
    })
  })

  const list = Effect.fnUntraced(function* (request: HttpServerRequest, segments: ReadonlyArray<string>) {
    const names = yield* root.names(segments)
    const entries: Array<StaticListing.Entry> = []
    for (const name of names) {
      if (entries.length === listingMax) break
      const entry = yield* root.look([...segments, name])
      if (entry !== undefined) entries.push({ ...entry, name })
    }
    const isCut = names.length > listingMax && entries.length === listingMax
    return StaticListing.answer(request, { segments, entries, isCut })
  })

  const directory = Effect.fnUntraced(function* (
    request: HttpServerRequest,
    { isDirectory, segments }: StaticPath.StaticPath
  ) {
    // Below a prefix, its root has a slash for us in any case.
    const path = StaticPath.pathOf(request.originalUrl)
    if (!isDirectory || (segments.length === 0 && !path.endsWith("/"))) return toDirectory(request, path)
    const found = yield* firstFile(index.map((name) => [...segments, name]))
    if (found !== undefined) return yield* answer(request, found.segments, found.file)
    return listing ? yield* list(request, segments) : undefined
  })

  const find = Effect.fnUntraced(function* (request: HttpServerRequest) {
    const path = StaticPath.parse(request.url)
    if (path === undefined) return undefined
    const found = yield* root.find(path.segments)
    if (found?.kind === "Directory") return yield* directory(request, path)
    // A file has nothing behind it.
    if (found?.kind === "File" && (!path.isDirectory || path.segments.length === 0))
      return yield* answer(request, path.segments, found)
    const last = path.segments.at(-1)
    if (last === undefined || path.isDirectory) return undefined
    const others = extensions.map((extension) => [...path.segments.slice(0, -1), last + extension])
    const other = found === undefined ? yield* firstFile(others) : undefined
    return other === undefined ? undefined : yield* answer(request, other.segments, other.file)
  })

  const fallback = Effect.fnUntraced(function* (request: HttpServerRequest) {
    const last = StaticPath.pathOf(request.url).split("/").at(-1) ?? ""
    const accept = request.headers["accept"]
    if (application !== false && !last.includes(".") && accept !== undefined && /text\/html/i.test(accept)) {
      const segments = application.split("/")
      const file = yield* fileAt(segments)
      if (file !== undefined) return yield* answer(request, segments, file)
    }
    return yield* options.notFound ?? ErrorPage.make(404)
  })

  const handle = Effect.fnUntraced(function* (request: HttpServerRequest) {
    if (request.method === "OPTIONS") return HttpServerResponse.empty({ status: 204, headers: allow })
    if (request.method !== "GET" && request.method !== "HEAD")
      return ErrorPage.of(request, 405, { headers: allow })
    return (yield* find(request)) ?? (yield* fallback(request))
  })

  return Effect.flatMap(HttpServerRequest, (request) =>
    handle(request).pipe(
      Effect.catch((error) =>
        error.reason._tag === "PermissionDenied"
          ? Effect.succeed(ErrorPage.of(request, 403))
          : error.reason._tag === "NotFound"
            ? (options.notFound ?? ErrorPage.make(404))
            : Effect.die(error)
      )
    )
  )
}

/** To the same with a slash, relative: whatever stands in front of the path, for us or for a proxy, stays. */
const toDirectory = (request: HttpServerRequest, path: string): Response => {
  const name = path.slice(path.lastIndexOf("/") + 1)
  const query = request.originalUrl.indexOf("?")
  const rest = query === -1 ? "" : request.originalUrl.slice(query)
  return HttpServerResponse.empty({
    status: 301,
    headers: { location: `./${name.replaceAll("\\", "%5C")}/${rest}` }
  })
}

export interface LayerOptions extends Options {
  /** Below which path. Default `/`. */
  readonly prefix?: HttpRouter.PathInput | undefined
}

/** The directory as routes: all methods of all paths below the prefix that no other route has. Fails if it is not there. */
export const layer = ({
  prefix = "/",
  ...options
}: LayerOptions): Layer.Layer<never, PlatformError, HttpRouter.HttpRouter> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const store = yield* StaticStore
      yield* store.realPath(options.root)
      const router = yield* HttpRouter.HttpRouter
      const handler = Effect.provideService(make(options), StaticStore, store)
      yield* (prefix === "/" ? router : router.prefixed(prefix)).add("*", "/*", handler)
    })
  )
